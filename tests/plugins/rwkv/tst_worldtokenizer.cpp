// The World tokenizer: literals, hostile vocabularies, longest match, long texts, streaming.
#include "pythonliteral.h"
#include "rwkvmodels.h"
#include "support/cputimer.h"
#include "worldtokenizer.h"

#include <QTemporaryDir>
#include <random>

using namespace lens;
using namespace lens::rwkv;
using namespace std::string_literals;

namespace {

using Ids = std::vector<TokenId>;

/// All 256 bytes as ids 1 to 256, then these, spelled as Python would.
std::string vocabularyText(const std::vector<std::pair<std::string, int>> &more = {})
{
    std::string text;
    for (int byte = 0; byte < 256; ++byte) {
        char line[64];
        std::snprintf(line, sizeof line, byte < 128 ? "%d '\\x%02x' 1\n" : "%d b'\\x%02x' 1\n", byte + 1, byte);
        text += line;
    }
    int id = 257;
    for (const auto &[literal, length] : more)
        text += std::to_string(id++) + " " + literal + " " + std::to_string(length) + "\n";
    return text;
}

const std::vector<std::pair<std::string, int>> nasty = {
    {"'the'", 3}, {"' the'", 4}, {"'  '", 2}, {"\"'s\"", 2}, {"'\"\\''", 2}, {"'\\n\\n'", 2}, {"'\\t\\\\'", 2},
    {"'中'", 3}, {"'\\u4e2d文'", 6}, {"b'\\xe4\\xb8'", 2}, {"'\\U0001f600'", 4}, {"'  b\\'x 3'", 7}, {"'\\101\\60'", 2}, {"'then'", 4},
};

WorldVocabulary parsed(const std::string &text)
{
    auto vocabulary = readWorldVocabulary(text, "test");
    if (!vocabulary)
        qFatal("%s", toString(vocabulary.error()).c_str());
    return *vocabulary;
}

std::shared_ptr<const WorldTokenizer> nastyTokenizer()
{
    return std::make_shared<const WorldTokenizer>(parsed(vocabularyText(nasty)));
}

} // namespace

class TestWorldTokenizer : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void literals_data();
    void literals();
    void notLiterals_data();
    void notLiterals();
    void hostileVocabularies_data();
    void hostileVocabularies();
    void randomBytesNeverCrash();
    void longestMatch();
    void everyTextComesBack();
    void longTextsAreFast();
    void streamsWholeCharacters();
    void endOfText();
    void foundBesideTheModel();
};

void TestWorldTokenizer::literals_data()
{
    QTest::addColumn<QByteArray>("literal");
    QTest::addColumn<QByteArray>("bytes");
    const auto add = [](const char *name, const std::string &literal, const std::string &bytes) {
        QTest::addRow("%s", name) << QByteArray::fromStdString(literal) << QByteArray::fromStdString(bytes);
    };
    add("plain", "'abc'", "abc");
    add("double quotes", "\"it's\"", "it's");
    add("escaped quote", "'it\\'s \\\"'", "it's \"");
    add("empty", "''", "");
    add("controls", "'\\a\\b\\f\\n\\r\\t\\v\\\\'", "\a\b\f\n\r\t\v\\");
    add("octal", "'\\0\\12\\1013'", "\0\n"s + "A3");
    add("octal above a byte", "'\\777'", "\u01ff");
    add("hexadecimal", "'\\x41\\xe9'", "A\u00e9");
    add("hexadecimal byte", "b'\\x41\\xe9'", "A\xe9");
    add("unicode", "'\\u00e9\\U0001F600'", "\u00e9\U0001f600");
    add("raw text", "'\u4e2d'", "\u4e2d");
    add("unknown escape", "'\\d\\8'", "\\d\\8");
    add("unicode in bytes", "b'\\u0041\\N'", "\\u0041\\N");
    add("other prefix", "B\"x\"", "x");
}

void TestWorldTokenizer::literals()
{
    QFETCH(QByteArray, literal);
    QFETCH(QByteArray, bytes);
    const auto read = readPythonLiteral(literal.toStdString());
    QVERIFY(read);
    QCOMPARE(QByteArray::fromStdString(*read), bytes);
}

void TestWorldTokenizer::notLiterals_data()
{
    QTest::addColumn<QByteArray>("literal");
    for (const char *literal : {"", "'", "b", "b'", "abc", "'a", "'a\"", "'a'b'", "'a' 'b'", "'\\'", "'''a'''", "r'a'", "f'a'",
                                "'\\x4'", "'\\x'", "'\\u12'", "'\\U0011ffff'", "'\\ud800'", "'\\N{DASH}'", "b'\\777'",
                                "b'\xc3\xa9'", "'\xff'", "__import__('os')", "('a')", " 'a'", "'\\xg0'"})
        QTest::addRow("%s", literal) << QByteArray(literal);
}

void TestWorldTokenizer::notLiterals()
{
    QFETCH(QByteArray, literal);
    const auto read = readPythonLiteral(literal.toStdString());
    QVERIFY(!read && read.error().code == ErrorCode::Malformed);
}

void TestWorldTokenizer::hostileVocabularies_data()
{
    QTest::addColumn<QByteArray>("content");
    const auto add = [](const char *name, const std::string &content) {
        QTest::addRow("%s", name) << QByteArray::fromStdString(content);
    };
    add("empty", "");
    add("blank lines", "\n\n\n");
    add("no id", "'a' 1\n");
    add("no length", "1 'a'\n");
    add("one word", "1\n");
    add("wrong length", "1 'a' 2\n");
    add("empty token", "1 '' 0\n");
    add("negative id", "-1 'a' 1\n");
    add("negative length", "1 'a' -1\n");
    add("huge id", "4000000000 'a' 1\n");
    add("overflowing id", "99999999999999999999999 'a' 1\n");
    add("overflowing length", "1 'a' 99999999999999999999999\n");
    add("id twice", "1 'a' 1\n1 'b' 1\n");
    add("token twice", "1 'a' 1\n2 b'a' 1\n");
    add("long token", "1 '" + std::string(100000, 'a') + "' 100000\n");
    add("binary", "\0\1\2 \0 \0\n"s);
    add("expression", "1 print(1) 8\n");
}

void TestWorldTokenizer::hostileVocabularies()
{
    QFETCH(QByteArray, content);
    const auto vocabulary = readWorldVocabulary(content.toStdString(), "test");
    QVERIFY(!vocabulary);
    QVERIFY(!vocabulary.error().what.empty());
}

void TestWorldTokenizer::randomBytesNeverCrash()
{
    std::mt19937 engine(3);
    const std::string whole = vocabularyText(nasty);
    for (int round = 0; round < 300; ++round) {
        std::string changed = whole;
        for (int i = 0; i < 5; ++i)
            changed[engine() % changed.size()] = static_cast<char>(engine());
        changed.resize(engine() % changed.size());
        if (auto vocabulary = readWorldVocabulary(changed, "test"); vocabulary)
            static_cast<void>(WorldTokenizer(std::move(*vocabulary)).encode("the \xff quick", {}));
    }
}

void TestWorldTokenizer::longestMatch()
{
    const auto tokenizer = nastyTokenizer();
    QCOMPARE(*tokenizer->encode("the the", {}), (Ids{257, 258}));
    QCOMPARE(*tokenizer->encode("then", {}), Ids{270});
    QCOMPARE(*tokenizer->encode("thex", {}), (Ids{257, 'x' + 1}));
    QCOMPARE(*tokenizer->encode("\u4e2d\u6587\u4e2d", {}), (Ids{265, 264}));
    QCOMPARE(*tokenizer->encode("\xe4\xb8\xad"s.substr(0, 2), {}), Ids{266});
    QCOMPARE(*tokenizer->encode("\xe4\xb8x", {}), (Ids{266, 'x' + 1}));
    QCOMPARE(*tokenizer->encode("  b'x 3A0", {}), (Ids{268, 269}));
    QCOMPARE(*tokenizer->encode("", {}), Ids());
    QCOMPARE(tokenizer->size(), std::size_t(271));
    QCOMPARE(tokenizer->piece(266), std::string("<0xE4><0xB8>"));
    const WorldTokenizer small(parsed("1 'a' 1\n"));
    const auto impossible = small.encode("ab", {});
    QVERIFY(!impossible && impossible.error().code == ErrorCode::InvalidArgument);
}

void TestWorldTokenizer::everyTextComesBack()
{
    const auto tokenizer = nastyTokenizer();
    std::mt19937 engine(4);
    const std::vector<std::string> parts = {"the", " ", "\u4e2d", "\u6587", "\U0001f600", "'s", "\n", "<|endoftext|>", "x\0y"s};
    for (int round = 0; round < 200; ++round) {
        std::string text;
        for (int i = 0; i < 20; ++i)
            text += parts[engine() % parts.size()];
        QCOMPARE(tokenizer->decode(*tokenizer->encode(text, {})), text);
        std::string broken;
        const Ids ids = *tokenizer->encode(text.substr(1 + engine() % 9), {});
        for (const TokenId id : ids)
            broken += tokenizer->bytes(id, true);
        QVERIFY(text.ends_with(broken) && !broken.empty());
    }
}

void TestWorldTokenizer::longTextsAreFast()
{
    // Tokens that nearly fit everywhere are the worst case.
    const auto tokenizer = std::make_shared<const WorldTokenizer>(
        parsed(vocabularyText({{"'" + std::string(200, 'a') + "b'", 201}, {"'aa'", 2}})));
    std::string text;
    while (text.size() < 4'000'000)
        text += "The quick brown fox \u4e2d\u6587 jumps. ";
    lens::test::CpuTimer timer;
    timer.start();
    QVERIFY(tokenizer->encode(text, {}));
    QVERIFY2(timer.elapsed() < 2000, QByteArray::number(qlonglong(timer.elapsed())));
    timer.restart();
    QVERIFY(tokenizer->encode(std::string(200'000, 'a'), {}));
    QVERIFY2(timer.elapsed() < 2000, QByteArray::number(qlonglong(timer.elapsed())));
}

void TestWorldTokenizer::streamsWholeCharacters()
{
    const auto tokenizer = nastyTokenizer();
    StreamDecoder decoder(tokenizer);
    QCOMPARE(decoder.push(266), std::string());
    QCOMPARE(decoder.push(0xad + 1), std::string("\u4e2d"));
    QCOMPARE(decoder.push(0xe4 + 1), std::string());
    QCOMPARE(decoder.push('x' + 1), std::string("\uFFFDx"));
    QCOMPARE(decoder.push(0), std::string());
    QCOMPARE(decoder.push(99999), std::string("\uFFFD"));
    QCOMPARE(decoder.push(0xf0 + 1), std::string());
    QCOMPARE(decoder.finish(), std::string("\uFFFD"));
}

void TestWorldTokenizer::endOfText()
{
    const auto tokenizer = nastyTokenizer();
    QVERIFY(tokenizer->isSpecial(0) && !tokenizer->isSpecial(1));
    QCOMPARE(tokenizer->special().eos, std::optional<TokenId>(0));
    QCOMPARE(tokenizer->special().endOfGeneration, Ids{0});
    const std::vector<TextSegment> segments = {{"the<|endoftext|>", false}, {"<|endoftext|>", true}};
    const Ids ids = *tokenizer->encodeSegments(segments, true);
    QCOMPARE(std::ranges::count(ids, 0), 1);
    QCOMPARE(ids.back(), 0);
}

void TestWorldTokenizer::foundBesideTheModel()
{
    QTemporaryDir folder;
    qputenv("XDG_CACHE_HOME", folder.filePath("cache").toUtf8());
    const std::string model = folder.filePath("tiny.pth").toStdString();
    std::filesystem::copy_file(lens::test::fixturePath("rwkv5/model.pth"), model);
    QVERIFY(!lens::test::loadRwkv(model)->tokenizer());
    const std::filesystem::path vocabulary = folder.filePath("rwkv_vocab_v20230424.txt").toStdString();
    QVERIFY(writeFileAtomically(vocabulary, "1 'a' 1\n2 'b' 1\n95 'ab' 2\n"));
    const LoadedModelPtr loaded = lens::test::loadRwkv(model);
    QVERIFY(loaded->tokenizer());
    QCOMPARE(loaded->info().tokenizer, std::string("RWKV World"));
    QCOMPARE(*loaded->tokenizer()->encode("aba", {}), (Ids{95, 1}));
    QVERIFY(writeFileAtomically(vocabulary, "1 'a' 1\n96 'b' 1\n"));
    const auto tooLarge = loadModel(model, lens::test::pluginOptions());
    QVERIFY(!tooLarge && tooLarge.error().code == ErrorCode::Mismatch);
    QVERIFY(writeFileAtomically(vocabulary, "1 'a' 7\n"));
    QVERIFY(!loadModel(model, lens::test::pluginOptions()));
}

QTEST_GUILESS_MAIN(TestWorldTokenizer)
#include "tst_worldtokenizer.moc"
