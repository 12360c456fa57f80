#include "compare/chatselection.h"
#include "compare/columnfooter.h"

#include <QElapsedTimer>
#include <QTest>

using namespace lens;

namespace {

Exchange exchange(const QString &prompt, const QStringList &words)
{
    Exchange made;
    made.prompt = prompt;
    for (qsizetype i = 0; i < words.size(); ++i)
        made.answer.tokens.push_back({int(i), words[i], i, 0, {}});
    return made;
}

} // namespace

class TestChatLayout : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void tokensAreFoundWhereTheyAre()
    {
        ChatLayout layout{QFont()};
        layout.setWidth(400);
        layout.rebuild({exchange("hello", {"the", " little", " fox", "\n", "He", "", " ran"})});
        for (const qsizetype token : {0, 1, 2, 3, 4, 6}) {
            const auto rects = layout.rectsOf({0, token});
            QCOMPARE(rects.size(), std::size_t(1));
            QCOMPARE(layout.tokenAt(rects[0].center())->token, token);
        }
        QVERIFY(layout.rectsOf({0, 5}).empty());
        QVERIFY(layout.rectsOf({0, 4})[0].top() > layout.rectsOf({0, 2})[0].top());
        QVERIFY(layout.promptAt(layout.blocks()[0].rect.center()));
        QVERIFY(!layout.tokenAt(QPointF(399, 5)));
    }

    void textIsChosenFromPlaceToPlace()
    {
        ChatLayout layout{QFont()};
        layout.setWidth(400);
        layout.rebuild({exchange("hello\nthere", {"the", " little", " fox", "\n", "He", " ran"})});
        const QRectF little = layout.rectsOf({0, 1})[0], ran = layout.rectsOf({0, 5})[0];
        const auto from = placeAt(layout, little.center() - QPointF(little.width() / 2 - 1, 0));
        const auto to = placeAt(layout, ran.center() + QPointF(ran.width() / 2, 0));
        QVERIFY(from && to);
        QCOMPARE(selectedText(layout, {*from, *to}), QString(" little fox\nHe ran"));
        QCOMPARE(selectedText(layout, {*to, *from}), QString(" little fox\nHe ran"));
        QCOMPARE(selectedText(layout, everything(layout)), QString("hello\nthere\n\nthe little fox\nHe ran"));
        QVERIFY(selectedText(layout, {*from, *from}).isEmpty());
        QVERIFY(!placeAt(ChatLayout{QFont()}, QPointF(5, 5)));
    }

    void nothingLeavesTheColumn()
    {
        ChatLayout layout{QFont()};
        layout.setWidth(160);
        layout.rebuild({exchange(QString(300, 'w'), {QString(500, 'x'), " a", " b"})});
        for (const auto &block : layout.blocks()) {
            QVERIFY(block.rect.left() >= 0);
            QVERIFY(block.rect.right() <= 160);
        }
        QVERIFY(layout.rectsOf({0, 0}).size() > 5);
    }

    void appendingGivesWhatRebuildingGives()
    {
        QStringList words;
        for (int i = 0; i < 400; ++i)
            words.append(i % 37 == 0 ? QString("\n\n") : QString(" word%1").arg(i));
        std::vector<Exchange> exchanges{exchange("prompt", words)};
        ChatLayout whole{QFont()}, grown{QFont()};
        whole.setWidth(300);
        grown.setWidth(300);
        whole.rebuild(exchanges);
        std::vector<Exchange> growing{exchange("prompt", {})};
        grown.rebuild(growing);
        for (std::size_t i = 0; i < exchanges[0].answer.tokens.size(); i += 7) {
            const std::size_t end = std::min(i + 7, exchanges[0].answer.tokens.size());
            for (std::size_t j = i; j < end; ++j)
                growing[0].answer.tokens.push_back(exchanges[0].answer.tokens[j]);
            grown.appendTokens(growing, qsizetype(i));
        }
        QCOMPARE(grown.height(), whole.height());
        QCOMPARE(grown.rectsOf({0, 399}), whole.rectsOf({0, 399}));
    }

    void appendingStaysCheap()
    {
        ChatLayout layout{QFont()};
        layout.setWidth(300);
        std::vector<Exchange> exchanges{exchange("prompt", {})};
        layout.rebuild(exchanges);
        QElapsedTimer timer;
        timer.start();
        for (int i = 0; i < 10000; ++i) {
            exchanges[0].answer.tokens.push_back({i, " token", i, 0, {}});
            if (i % 10 == 9)
                layout.appendTokens(exchanges, i - 9);
        }
        QVERIFY2(timer.elapsed() < 8000, qPrintable(QString::number(timer.elapsed())));
    }

    void aMegabyteOfPromptIsFolded()
    {
        ChatLayout layout{QFont()};
        layout.setWidth(300);
        QElapsedTimer timer;
        timer.start();
        layout.rebuild({exchange(QString(1 << 20, 'x'), {})});
        QVERIFY(timer.elapsed() < 200);
        QCOMPARE(layout.blocks()[0].hiddenCharacters, (1 << 20) - ChatLayout::promptLimit);
    }

    void controlCharactersAreHarmless()
    {
        ChatLayout layout{QFont()};
        layout.setWidth(300);
        layout.rebuild(
            {exchange(QString("a") + QChar(0) + QChar(0x2028) + QChar(0xd800), {QString(QChar(0)), "\r", "b"})});
        QVERIFY(layout.height() > 0);
        QCOMPARE(layout.rectsOf({0, 2}).size(), std::size_t(1));
    }

    void theContextScaleMarksTheTrainedLength()
    {
        QCOMPARE(contextScale(256, 512).filled, 0.5);
        QCOMPARE(contextScale(256, 512).mark, 1.0);
        QCOMPARE(contextScale(768, 512).mark, 0.5);
        QCOMPARE(contextScale(768, 512).filled, 0.75);
        QCOMPARE(contextScale(5000, 512).filled, 1.0);
    }
};

QTEST_MAIN(TestChatLayout)
#include "tst_chatlayout.moc"
