#include "bridge/conversation.h"
#include "bridge/format.h"
#include "bridge/generationsettings.h"

#include <QTest>

using namespace lens;

namespace {

std::vector<ShownToken> tokens(const QStringList &texts, const QList<int> &ids)
{
    std::vector<ShownToken> list;
    for (qsizetype i = 0; i < texts.size(); ++i)
        list.push_back({ids.value(i), texts[i], i, 0, {}});
    return list;
}

using Indices = std::pair<qsizetype, qsizetype>;

} // namespace

class TestConversation : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void differsAtAnId()
    {
        const auto a = tokens({"a", "b", "c"}, {1, 2, 3}), b = tokens({"a", "b", "d"}, {1, 2, 4});
        QCOMPARE(firstDifference(a, b, true), Indices(2, 2));
    }

    void aBeginningDoesNotDiffer()
    {
        const auto a = tokens({"a", "b"}, {1, 2}), b = tokens({"a", "b", "d"}, {1, 2, 4});
        QCOMPARE(firstDifference(a, b, true), Indices(-1, -1));
        QCOMPARE(firstDifference({}, b, false), Indices(-1, -1));
    }

    void otherVocabulariesAreComparedByText()
    {
        const auto a = tokens({"the", " ri", "ver"}, {1, 2, 3}), b = tokens({"the river", " bank"}, {9, 8});
        QCOMPARE(firstDifference(a, b, false), Indices(-1, -1));
        const auto c = tokens({"the", " ri", "nk"}, {1, 2, 3});
        QCOMPARE(firstDifference(c, b, false), Indices(2, 0));
    }

    void messagesLeaveTheLastAnswerOut()
    {
        std::vector<Exchange> exchanges(2);
        exchanges[0].prompt = "one";
        exchanges[0].answer.text = "eins";
        exchanges[1].prompt = "two";
        exchanges[1].answer.text = "half an ans";
        const auto messages = messagesOf(exchanges, "be brief");
        QCOMPARE(messages.size(), std::size_t(4));
        QVERIFY(messages[0].role == Role::System && messages[3].role == Role::User);
        QCOMPARE(messages[2].content, std::string("eins"));
        QCOMPARE(messagesOf(exchanges, {}).size(), std::size_t(3));
    }

    void numbersAreReadable()
    {
        QLocale::setDefault(QLocale::c());
        QCOMPARE(formatBytes(999), QString("999 B"));
        QCOMPARE(formatBytes(1234567), QString("1.2 MB"));
        QCOMPARE(formatBytes(98362432), QString("98 MB"));
        QCOMPARE(formatCount(134515008), QString("135 M"));
        QCOMPARE(formatSeconds(0.0084), QString("8 ms"));
        QCOMPARE(formatSeconds(125), QString("2 min 5 s"));
        QCOMPARE(shortFingerprint("b771e0a90c44"), QString("b771e0"));
    }

    void settingsSurviveJson()
    {
        GenerationSettings settings;
        settings.options.sampling.temperature = 0.7;
        settings.options.sampling.seed = 18446744073709551615ull;
        settings.options.maxTokens = 77;
        settings.options.stopStrings = {"\n\n", "END"};
        settings.systemPrompt = "be brief";
        QCOMPARE(generationSettings(toJson(settings)), settings);
        QCOMPARE(generationSettings(QJsonObject{{"maxTokens", -5}}).options.maxTokens, 1);
    }
};

QTEST_GUILESS_MAIN(TestConversation)
#include "tst_conversation.moc"
