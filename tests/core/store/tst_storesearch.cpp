#include "storetest.h"

#include <set>

using namespace lens;
using namespace lens::test;

class TestStoreSearch : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        m_workspace = std::make_unique<ScratchWorkspace>();
        m_france = std::make_unique<Scene>(**m_workspace, "Geography: capitals", "What is the capital of France?");
        m_cafe =
            std::make_unique<Scene>(**m_workspace, "Unicode", "Das Café an der Straße, 東京の首都 и Москва AND \"or\"");
        m_generation = must((*m_workspace)->generations().begin(m_france->start(m_france->left)));
        GenerationOutcome outcome;
        outcome.text = "The capital of France is Paris, a city on the Seine.";
        must((*m_workspace)->generations().finish(m_generation, outcome));
    }

    void finds_data()
    {
        QTest::addColumn<QByteArray>("query");
        QTest::addColumn<int>("hits");
        QTest::newRow("word") << QByteArray("Paris") << 1;
        QTest::newRow("case") << QByteArray("pARIS") << 1;
        QTest::newRow("prefix while typing") << QByteArray("Par") << 1;
        QTest::newRow("one letter") << QByteArray("S") << 2;
        QTest::newRow("all words") << QByteArray("France capital") << 2;
        QTest::newRow("only in the answer") << QByteArray("France seine") << 1;
        QTest::newRow("title by prefix") << QByteArray("capit") << 3;
        QTest::newRow("phrase") << QByteArray("\"capital of France\"") << 2;
        QTest::newRow("phrase in the wrong order") << QByteArray("\"France of capital\"") << 0;
        QTest::newRow("phrase is not a prefix") << QByteArray("\"capit\"") << 0;
        QTest::newRow("open quote") << QByteArray("\"capital of Fr") << 2;
        QTest::newRow("accents") << QByteArray("cafe") << 1;
        QTest::newRow("accents the other way") << QByteArray("Páris") << 1;
        QTest::newRow("cyrillic") << QByteArray("москва") << 1;
        QTest::newRow("operator AND is a word") << QByteArray("AND") << 1;
        QTest::newRow("operator OR finds not more") << QByteArray("Paris OR nothinglikethis") << 0;
        QTest::newRow("operator NOT") << QByteArray("NOT Paris") << 0;
        QTest::newRow("NEAR()") << QByteArray("NEAR(capital France)") << 0;
        QTest::newRow("column filter") << QByteArray("text:Paris") << 0;
        QTest::newRow("star") << QByteArray("Par*") << 1;
        QTest::newRow("caret, plus, braces") << QByteArray("^+{}()-") << 0;
        QTest::newRow("only quotes") << QByteArray("\"\"\"") << 0;
        QTest::newRow("quote in a word") << QByteArray("Pa\"ris") << 0;
        QTest::newRow("punctuation beside a word") << QByteArray("!!! Paris") << 1;
        QTest::newRow("empty") << QByteArray("") << 0;
        QTest::newRow("spaces") << QByteArray(" \t\n ") << 0;
        QTest::newRow("semicolon") << QByteArray("'; DROP TABLE turns; --") << 0;
        QTest::newRow("nul") << QByteArray("Paris\0x", 7) << 0;
        QTest::newRow("broken UTF-8") << QByteArray("\xff\xfe") << 0;
        QTest::newRow("very long") << QByteArray(100000, 'a') << 0;
        QTest::newRow("very many words") << QByteArray("Paris ").repeated(5000) << 1;
    }

    void finds()
    {
        QFETCH(QByteArray, query);
        QFETCH(int, hits);
        const auto found = (*m_workspace)->search().find(query.toStdString());
        VERIFY_OK(found);
        QCOMPARE(int(found->size()), hits);
    }

    void hitSaysWhere()
    {
        const auto hits = must((*m_workspace)->search().find("seine"));
        QCOMPARE(hits.size(), size_t(1));
        QVERIFY(hits[0].kind == SearchKind::Answer);
        QCOMPARE(hits[0].session, m_france->session);
        QCOMPARE(hits[0].turn, m_france->turn);
        QCOMPARE(hits[0].generation, m_generation);
        QCOMPARE(hits[0].sessionTitle, std::string("Geography: capitals"));
        std::string text, matched;
        for (const SnippetPiece &piece : hits[0].snippet) {
            text += piece.text;
            if (piece.match)
                matched += piece.text;
        }
        QCOMPARE(matched, std::string("Seine"));
        QCOMPARE(text, std::string("The capital of France is Paris, a city on the Seine."));
        QVERIFY(must((*m_workspace)->search().find("geography"))[0].kind == SearchKind::Title);
    }

    void followsChanges()
    {
        ScratchWorkspace workspace;
        const Scene scene(*workspace, "Before");
        VERIFY_OK(workspace->sessions().rename(scene.session, "Afterwards"));
        QVERIFY(must(workspace->search().find("before")).empty());
        QCOMPARE(must(workspace->search().find("afterwards")).size(), size_t(1));
        TurnRow turn;
        turn.session = scene.session;
        turn.prompt = "shared";
        turn.overrides = {{scene.left, "overridden"}};
        must(workspace->sessions().addTurn(turn));
        QCOMPARE(must(workspace->search().find("overridden")).size(), size_t(1));
    }

    void pages()
    {
        ScratchWorkspace workspace;
        for (int i = 0; i < 120; ++i)
            must(workspace->sessions().create("needle " + std::to_string(i), {}));
        std::set<RowId> seen;
        for (int offset = 0; offset < 150; offset += 50) {
            for (const SearchHit &hit : must(workspace->search().find("needle", 50, offset)))
                seen.insert(hit.session);
        }
        QCOMPARE(seen.size(), size_t(120));
    }

private:
    std::unique_ptr<ScratchWorkspace> m_workspace;
    std::unique_ptr<Scene> m_france, m_cafe;
    RowId m_generation = 0;
};

QTEST_GUILESS_MAIN(TestStoreSearch)
#include "tst_storesearch.moc"
