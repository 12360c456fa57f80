// A session as a document and back.
#include "store/transfer.h"
#include "storetest.h"

#include <nlohmann/json.hpp>

using namespace lens;
using namespace lens::test;
using nlohmann::json;

namespace {

/// A session with branches, shared answers, overrides, a closed column, measurements and a comparison.
RowId richSession(Workspace &workspace)
{
    const Scene scene(workspace, "Rich € session", "Why?\nReally?");
    auto &generations = workspace.generations();
    const RowId left = must(generations.begin(scene.start(scene.left)));
    GenerationOutcome outcome{GenerationStatus::Complete, "max-tokens", "", {}, 0.25, 2, 0.5, 1, 999};
    must(generations.finish(left, outcome, someTokens(20), std::vector{toChunk({3, 2, 1, 2, {1, 2, NAN, 4}})}));
    const RowId right = must(generations.begin(scene.start(scene.right)));
    outcome.status = GenerationStatus::Failed;
    outcome.error = "the device failed";
    outcome.text = "cut";
    must(generations.finish(right, outcome, someTokens(3)));
    must(generations.saveComparison({left, right, {1, 2, 3}, {{0.5f, INFINITY}, {1, 2}, {3, 4}, {1, 0}}, 0}));
    TurnRow turn;
    turn.session = scene.session;
    turn.prompt = "Again";
    turn.overrides = {{scene.right, "Again, differently"}};
    turn.answers = {{scene.left, left}};
    must(workspace.sessions().addTurn(turn));
    turn.parent = scene.turn;
    turn.answers.clear();
    must(workspace.sessions().addTurn(turn));
    must(workspace.sessions().setCurrentTurn(scene.session, scene.turn));
    must(workspace.sessions().removeColumn(scene.right));
    return scene.session;
}

/// The document with its ids replaced by their order, so that two exports can be compared.
json withoutIds(const std::string &text)
{
    json document = json::parse(text);
    const auto rename = [](json &list) {
        std::map<RowId, int> order;
        for (const json &row : list)
            order.emplace(row.at("id").get<RowId>(), int(order.size()) + 1);
        order[0] = 0;
        return order;
    };
    auto models = rename(document["models"]), columns = rename(document["columns"]), turns = rename(document["turns"]),
         generations = rename(document["generations"]);
    const auto apply = [](json &row, const char *key, std::map<RowId, int> &order) {
        row[key] = order.at(row.at(key));
    };
    for (json &row : document["models"])
        apply(row, "id", models);
    for (json &row : document["columns"]) {
        apply(row, "id", columns);
        apply(row, "model", models);
    }
    for (json &row : document["turns"]) {
        apply(row, "id", turns);
        apply(row, "parent", turns);
        for (json &override : row["overrides"])
            apply(override, "column", columns);
        for (json &answer : row["answers"]) {
            apply(answer, "column", columns);
            apply(answer, "generation", generations);
        }
    }
    for (json &row : document["generations"]) {
        apply(row, "id", generations);
        apply(row, "turn", turns);
        apply(row, "column", columns);
        apply(row, "model", models);
    }
    for (json &row : document["comparisons"]) {
        apply(row, "first", generations);
        apply(row, "second", generations);
        row.erase("created");
    }
    apply(document["session"], "current_turn", turns);
    return document;
}

} // namespace

class TestStoreTransfer : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void comesBackTheSame()
    {
        ScratchWorkspace from, to;
        const RowId session = richSession(*from);
        const Scene other(*to, "Something else");
        const std::string document = must(exportSessionJson(*from, session, {true, true}));
        const RowId imported = must(importSessionJson(*to, document));
        QCOMPARE(must(to->check()), std::vector<std::string>());
        const std::string again = must(exportSessionJson(*to, imported, {true, true}));
        const json before = withoutIds(document), after = withoutIds(again);
        QVERIFY2(before == after, json::diff(before, after).dump(1).c_str());
        QCOMPARE(must(to->search().find("differently")).size(), size_t(2));
        QCOMPARE(must(to->models().list()).size(), size_t(1));
    }

    void leavesOutWhatWasNotAskedFor()
    {
        ScratchWorkspace workspace;
        const json document = json::parse(must(exportSessionJson(*workspace, richSession(*workspace), {false, false})));
        QVERIFY(!document["generations"][0].contains("tokens"));
        QVERIFY(!document["generations"][0].contains("probes"));
        QVERIFY(document["comparisons"].empty());
        VERIFY_OK(importSessionJson(*workspace, document.dump()));
        VERIFY_FAILS(exportSessionJson(*workspace, 99), ErrorCode::NotFound);
    }

    void runningBecomesInterrupted()
    {
        ScratchWorkspace workspace;
        const Scene scene(*workspace);
        const RowId id = must(workspace->generations().begin(scene.start(scene.left)));
        VERIFY_OK(workspace->generations().append(id, someTokens(3)));
        const RowId copy = must(importSessionJson(*workspace, must(exportSessionJson(*workspace, scene.session))));
        const SessionContent content = must(workspace->sessions().content(copy));
        QVERIFY(content.generations[0].status == GenerationStatus::Interrupted);
        QCOMPARE(content.generations[0].tokens, 3);
    }

    void badDocumentsChangeNothing_data()
    {
        QTest::addColumn<QString>("pointer");
        QTest::addColumn<QString>("value");
        QTest::addColumn<QString>("where");
        QTest::newRow("no format") << "/format"
                                   << "\"other\""
                                   << "";
        QTest::newRow("bad version") << "/version"
                                     << "\"1\""
                                     << "";
        QTest::newRow("turns not a list") << "/turns"
                                          << "5"
                                          << "";
        QTest::newRow("turn not an object") << "/turns/1"
                                            << "7"
                                            << "turns[1]";
        QTest::newRow("unknown parent") << "/turns/2/parent"
                                        << "77"
                                        << "turns[2]";
        QTest::newRow("own parent") << "/turns/0/parent"
                                    << "1"
                                    << "turns[0]";
        QTest::newRow("id twice") << "/turns/1/id"
                                  << "1"
                                  << "turns[1]";
        QTest::newRow("wrong type") << "/generations/0/options/seed"
                                    << "\"x\""
                                    << "generations[0]";
        QTest::newRow("unknown status") << "/generations/0/status"
                                        << "\"done\""
                                        << "generations[0]";
        QTest::newRow("bad token") << "/generations/0/tokens/3/id"
                                   << "null"
                                   << "generations[0].tokens[3]";
        QTest::newRow("bad probe") << "/generations/0/probes/0/shape"
                                   << "[1,1]"
                                   << "generations[0].probes[0]";
        QTest::newRow("strange answer") << "/turns/0/answers/0/generation"
                                        << "2"
                                        << "turns[0].answers[0]";
        QTest::newRow("no column") << "/columns"
                                   << "[]"
                                   << "turns[1].overrides[0]";
    }

    void badDocumentsChangeNothing()
    {
        QFETCH(QString, pointer);
        QFETCH(QString, value);
        QFETCH(QString, where);
        ScratchWorkspace workspace;
        json document = json::parse(must(exportSessionJson(*workspace, richSession(*workspace), {true, true})));
        document[json::json_pointer(pointer.toStdString())] = json::parse(value.toStdString());
        const auto imported = importSessionJson(*workspace, document.dump());
        QVERIFY(!imported);
        if (!where.isEmpty())
            QVERIFY2(imported.error().where.starts_with(where.toStdString()), toString(imported.error()).c_str());
        QCOMPARE(must(workspace->sessions().count(SessionFilter::Active)), 1);
    }

    void noDocumentAtAll()
    {
        ScratchWorkspace workspace;
        for (const std::string text : {"", "{", "[]", "null", "<html>", "\xff"})
            VERIFY_FAILS(importSessionJson(*workspace, text), ErrorCode::Malformed);
        VERIFY_FAILS(importSessionJson(*workspace, std::string(200000, '[')), ErrorCode::Malformed);
        VERIFY_FAILS(importSessionJson(*workspace, R"({"format": "supralens-session", "version": 2})"),
                     ErrorCode::NewerVersion);
    }

    void markdownReadsWell()
    {
        ScratchWorkspace workspace;
        const std::string text = must(exportSessionMarkdown(*workspace, richSession(*workspace)));
        for (const char *part : {"# Rich € session", "## Prompt 1\n\n> Why?\n> Really?", "### tiny (untrained)",
                                 "word1 word2", "temperature 0.7, seed 18364758544493064720", "20 tokens, 9.5 a second",
                                 "max-tokens: the device failed", "float32 on cpu"})
            QVERIFY2(text.find(part) != std::string::npos, text.c_str());
    }
};

QTEST_GUILESS_MAIN(TestStoreTransfer)
#include "tst_storetransfer.moc"
