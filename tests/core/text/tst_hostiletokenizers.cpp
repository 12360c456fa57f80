// Tokenizer files that are broken, or were made to do harm: a typed error or a tokenizer that works, never a crash.
#include "core/text/tokenizerfixtures.h"
#include "support/cputimer.h"
#include "text/llama2cvocabulary.h"
#include "text/sentencepiecemodel.h"
#include "text/wirereader.h"

#include <QtTest>

#include <cmath>
#include <limits>

using namespace lens;
using nlohmann::json;

namespace {

using Piece = SentencePieceModel::Piece;
using Type = SentencePieceModel::Type;

SentencePieceModel smallModel()
{
    SentencePieceModel model;
    model.modelType = 2;
    model.pieces = {{"<unk>", 0, Type::Unknown}, {"<s>", 0, Type::Control}, {"</s>", 0, Type::Control},
                    {"a", -1, Type::Normal},     {"b", -2, Type::Normal},   {"ab", -3, Type::Normal}};
    return model;
}

SentencePieceModel with(const Piece &piece)
{
    SentencePieceModel model = smallModel();
    model.pieces.push_back(piece);
    return model;
}

QByteArray bytesOf(const SentencePieceModel &model)
{
    return QByteArray::fromStdString(rebuilt(model));
}

// u32 size, then units, then texts.
std::string characterMap(std::vector<std::uint32_t> units, const std::string &texts)
{
    units.resize(256, 0x100);
    std::string map;
    const auto put = [&map](std::uint32_t value) {
        for (unsigned shift = 0; shift < 32; shift += 8)
            map.push_back(static_cast<char>(value >> shift));
    };
    put(static_cast<std::uint32_t>(units.size() * 4));
    for (const std::uint32_t unit : units)
        put(unit);
    return map + texts;
}

QByteArray withMap(const std::string &map)
{
    SentencePieceModel model = smallModel();
    model.characterMap = map;
    return bytesOf(model);
}

Result<TokenizerPtr> loadBytes(const QTemporaryDir &folder, const char *name, const std::string &content)
{
    const std::string file = folder.filePath(name).toStdString();
    std::ofstream(file, std::ios::binary) << content;
    return loadTokenizerFile(file);
}

// Everything that a program does with a tokenizer.
void exercise(const Tokenizer &tokenizer, std::mt19937 &random)
{
    const std::string text =
        "Hello, world! <s>caf\u00e9</s> 1,000\n\n\t\t<|im_end|> \U0001F600 \uFB01 \xFF\xED\xA0\x80 {#";
    for (const bool parseSpecial : {false, true}) {
        const auto ids = tokenizer.encode(text, {.parseSpecial = parseSpecial});
        if (ids)
            QVERIFY(isValidUtf8(tokenizer.decode(*ids)));
    }
    QVERIFY(isValidUtf8(tokenizer.decode(fixtures::randomIds(random, tokenizer.size() + 2, 50))));
    for (const TokenId id : {-1, 0, 1, static_cast<int>(tokenizer.size()), std::numeric_limits<TokenId>::max()}) {
        tokenizer.bytes(id, false);
        tokenizer.piece(id);
        tokenizer.isSpecial(id);
    }
}

json smallJson()
{
    return json::parse(R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]},
        "added_tokens": [{"id": 3, "content": "<x>", "special": true}],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}, "decoder": {"type": "ByteLevel"}})");
}

json patched(const char *pointer, const json &value)
{
    json tokenizer = smallJson();
    tokenizer[json::json_pointer(pointer)] = value;
    return tokenizer;
}

} // namespace

class TestHostileTokenizers : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void smallOnesWork();
    void sentencePiece_data();
    void sentencePiece();
    void tokenizerJson_data();
    void tokenizerJson();
    void otherFiles_data();
    void otherFiles();
    void vocabularies_data();
    void vocabularies();
    void mutations_data();
    void mutations();
    void largeTexts();
};

void TestHostileTokenizers::smallOnesWork()
{
    QTemporaryDir folder;
    const auto model = loadBytes(folder, "t.model", rebuilt(smallModel()));
    QVERIFY2(model.has_value(), model ? "" : toString(model.error()).c_str());
    const auto fromJson = loadBytes(folder, "tokenizer.json", smallJson().dump());
    QVERIFY2(fromJson.has_value(), fromJson ? "" : toString(fromJson.error()).c_str());
    QCOMPARE(*(*fromJson)->encode("ab"), std::vector<TokenId>{2});
}

void TestHostileTokenizers::sentencePiece_data()
{
    QTest::addColumn<QByteArray>("file");
    QTest::addColumn<int>("code");
    QTest::addColumn<QString>("mentions");
    const auto row = [](const char *name, const QByteArray &file, ErrorCode code, const char *mentions) {
        QTest::newRow(name) << file << static_cast<int>(code) << QString(mentions);
    };
    const auto malformed = ErrorCode::Malformed;
    row("long piece", bytesOf(with({std::string(200000, 'x'), 0, Type::Normal})), ErrorCode::LimitExceeded, "piece 6");
    row("NUL piece", bytesOf(with({std::string("a\0b", 3), 0, Type::Normal})), malformed, "piece 6 contains a NUL");
    row("empty piece", bytesOf(with({"", 0, Type::Normal})), malformed, "piece 6 is empty");
    row("invalid UTF-8", bytesOf(with({"\xC3(", 0, Type::Normal})), malformed, "piece 6 is not valid UTF-8");
    row("NaN score", bytesOf(with({"c", std::nanf(""), Type::Normal})), malformed, "piece 6 has a score");
    row("infinite score", bytesOf(with({"c", -INFINITY, Type::Normal})), malformed, "piece 6 has a score");
    row("bad type", bytesOf(with({"c", 0, static_cast<Type>(7)})), malformed, "unknown type 7");
    row("byte piece -1", bytesOf(with({"<0x-1>", 0, Type::Byte})), malformed, "<0x-1>");
    row("byte piece without fallback", bytesOf(with({"<0x41>", 0, Type::Byte})), malformed, "byte pieces");
    row("two <unk>", bytesOf(with({"<unk2>", 0, Type::Unknown})), malformed, "second <unk>");
    row("repeated piece", bytesOf(with({"ab", 0, Type::Normal})), malformed, "repeats piece 5");
    SentencePieceModel model = smallModel();
    model.pieces.erase(model.pieces.begin());
    row("no <unk>", bytesOf(model), malformed, "no piece is the <unk>");
    model = smallModel();
    model.byteFallback = true;
    row("fallback without bytes", bytesOf(model), malformed, "0 byte pieces");
    model = smallModel();
    model.modelType = 9;
    row("model type 9", bytesOf(model), malformed, "impossible value");
    row("truncated", bytesOf(smallModel()).chopped(5), ErrorCode::Truncated, "byte ");
    row("huge length", QByteArray("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 10), ErrorCode::Truncated,
        "beyond the end");
    row("endless number", QByteArray("\x0A") + QByteArray(20, '\xFF'), malformed, "longer than ten bytes");
    row("group", QByteArray("\x0B"), malformed, "impossible type");

    const std::string text("x\0", 2);
    // A unit with 1 << 10 in it points to the next block but one: outside these 256 units.
    row("map points outside", withMap(characterMap({256u << 10}, text)), malformed, "outside the trie");
    row("map value outside", withMap(characterMap({1u << 10 | 1u << 8, 0x80000000u | 500u}, text)), malformed,
        "outside the texts");
    row("map text without end", withMap(characterMap({1u << 10 | 1u << 8, 0x80000000u}, "x")), malformed,
        "without an end");
    row("map text broken", withMap(characterMap({1u << 10 | 1u << 8, 0x80000000u}, std::string("\xC3\0", 2))),
        malformed,
        "UTF-8");
    row("map text long", withMap(characterMap({1u << 10 | 1u << 8, 0x80000000u}, std::string(9999, 'x') + '\0')),
        malformed, "9999 bytes");
    std::vector<std::uint32_t> loop(256, 0x100);
    loop[0] = 0;          // root: the child for byte 1 is node 1
    loop[1] = 1;          // which points to itself
    row("map contains itself", withMap(characterMap(loop, text)), malformed, "contains itself");
    row("map too short", withMap("ab"), ErrorCode::Truncated, "header");
    row("map announces too much", withMap("\xFF\xFF\xFF\x7F"), ErrorCode::Truncated, "announces");
}

void TestHostileTokenizers::sentencePiece()
{
    QFETCH(QByteArray, file);
    QFETCH(int, code);
    QFETCH(QString, mentions);
    QTemporaryDir folder;
    const auto loaded = loadBytes(folder, "t.model", file.toStdString());
    QVERIFY(!loaded.has_value());
    const QString message = QString::fromStdString(toString(loaded.error()));
    QVERIFY2(static_cast<int>(loaded.error().code) == code, qPrintable(message));
    QVERIFY2(message.contains(mentions), qPrintable(message));
    QVERIFY2(message.contains("t.model"), qPrintable(message));
}

void TestHostileTokenizers::tokenizerJson_data()
{
    QTest::addColumn<QByteArray>("file");
    QTest::addColumn<int>("code");
    const auto row = [](const char *name, const std::string &file, ErrorCode code) {
        QTest::newRow(name) << QByteArray::fromStdString(file) << static_cast<int>(code);
    };
    const auto malformed = ErrorCode::Malformed, unsupported = ErrorCode::Unsupported, limit = ErrorCode::LimitExceeded;
    row("deep nesting", "{\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}", limit);
    row("deep nesting, unclosed", "{\"a\":" + std::string(1000000, '['), limit);
    row("not JSON", "{nope", malformed);
    row("broken UTF-8", "{\"a\": \"\xFF\"}", malformed);
    row("no model", "{}", malformed);
    row("model is a list", R"({"model": []})", malformed);
    row("merge names a missing token", patched("/model/merges/0", "a c").dump(), malformed);
    row("merge of one", patched("/model/merges/0", "a").dump(), malformed);
    row("merge of numbers", patched("/model/merges/0", json::array({1, 2})).dump(), malformed);
    row("duplicated id", patched("/model/vocab/b", 0).dump(), malformed);
    row("negative id", patched("/model/vocab/b", -1).dump(), malformed);
    row("id of 2^31", patched("/model/vocab/b", 2147483648LL).dump(), malformed);
    row("id of 2^31 - 1", patched("/model/vocab/b", 2147483647).dump(), limit);
    row("id of 1e300", patched("/model/vocab/b", 1e300).dump(), malformed);
    row("id as text", patched("/model/vocab/b", "1").dump(), malformed);
    row("added id taken", patched("/added_tokens/0/id", 0).dump(), malformed);
    row("added id negative", patched("/added_tokens/0/id", -5).dump(), malformed);
    row("added token empty", patched("/added_tokens/0/content", "").dump(), malformed);
    row("added token long", patched("/added_tokens/0/content", std::string(100000, 'x')).dump(), limit);
    row("unknown token missing", patched("/model/unk_token", "<unk>").dump(), malformed);
    row("unigram", patched("/model/type", "Unigram").dump(), unsupported);
    row("normalizer", patched("/normalizer", json{{"type", "BertNormalizer"}}).dump(), unsupported);
    row("pre-tokenizer", patched("/pre_tokenizer", json{{"type", "Whitespace"}}).dump(), unsupported);
    row("post-processor", patched("/post_processor", json{{"type", "BertProcessing"}}).dump(), unsupported);
    row("decoder", patched("/decoder", json{{"type", "WordPiece"}}).dump(), unsupported);
    row("template id outside", patched("/post_processor", json::parse(R"({"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<x>"}}], "special_tokens": {"<x>": {"ids": [77]}}})")).dump(), malformed);
    row("bad pattern", patched("/pre_tokenizer", json::parse(R"({"type": "Split", "behavior": "Isolated",
        "pattern": {"Regex": "(((("}})")).dump(), unsupported);
}

void TestHostileTokenizers::tokenizerJson()
{
    QFETCH(QByteArray, file);
    QFETCH(int, code);
    QTemporaryDir folder;
    const auto loaded = loadBytes(folder, "tokenizer.json", file.toStdString());
    QVERIFY(!loaded.has_value());
    QVERIFY2(static_cast<int>(loaded.error().code) == code, toString(loaded.error()).c_str());
    QVERIFY(loaded.error().where.find("tokenizer.json") != std::string::npos);
}

void TestHostileTokenizers::otherFiles_data()
{
    QTest::addColumn<QString>("name");
    QTest::addColumn<QByteArray>("file");
    QTest::addColumn<int>("code");
    const auto row = [](const char *what, const char *name, const QByteArray &file, ErrorCode code) {
        QTest::newRow(what) << QString(name) << file << static_cast<int>(code);
    };
    row("empty", "t.model", "", ErrorCode::Truncated);
    row("LFS pointer", "t.model", "version https://git-lfs.github.com/spec/v1\n", ErrorCode::Malformed);
    row("HTML page", "t.json", "<!DOCTYPE html><html></html>", ErrorCode::Malformed);
    row("tiktoken", "tokenizer.model", "IQ== 0\nIg== 1\n", ErrorCode::Unsupported);
    row("bin, cut header", "t.bin", "ab", ErrorCode::Truncated);
    row("bin, long token", "t.bin", QByteArray("\x07\0\0\0\0\0\0\0\xFF\xFF\xFF\xFFxx", 14), ErrorCode::Truncated);
    row("bin, NaN score", "t.bin", QByteArray("\x07\0\0\0\0\0\xC0\x7F\x01\0\0\0x", 13), ErrorCode::Malformed);
    row("bin, one token", "t.bin", QByteArray("\x07\0\0\0\0\0\0\0\x01\0\0\0x", 13), ErrorCode::Malformed);
}

void TestHostileTokenizers::otherFiles()
{
    QFETCH(QString, name);
    QFETCH(QByteArray, file);
    QFETCH(int, code);
    QTemporaryDir folder;
    const auto loaded = loadBytes(folder, qPrintable(name), file.toStdString());
    QVERIFY(!loaded.has_value());
    QVERIFY2(static_cast<int>(loaded.error().code) == code, toString(loaded.error()).c_str());
}

void TestHostileTokenizers::vocabularies_data()
{
    QTest::addColumn<int>("which");
    QTest::addColumn<int>("code");
    int which = 0;
    for (const char *name : {"empty", "scores too few", "types too many", "NaN score", "type 9", "bos outside",
                             "negative eos", "long token", "merge without a pair", "merge of a missing token"})
        QTest::newRow(name) << which++ << static_cast<int>(ErrorCode::Malformed);
    QTest::newRow("unknown pre-tokenizer") << which << static_cast<int>(ErrorCode::Unsupported);
}

void TestHostileTokenizers::vocabularies()
{
    QFETCH(int, which);
    QFETCH(int, code);
    EmbeddedVocabulary vocabulary;
    vocabulary.tokens = {"<unk>", "a", "b", "ab"};
    vocabulary.scores = {0, -1, -2, -3};
    vocabulary.types = {2, 1, 1, 1};
    QVERIFY(makeTokenizer(vocabulary, "good").has_value());
    const auto ranked = [&](const char *merge) {
        vocabulary.kind = EmbeddedVocabulary::Kind::ByteLevelBpe;
        vocabulary.merges = {"a b", merge};
    };
    switch (which) {
    case 0: vocabulary = {}; break;
    case 1: vocabulary.scores.pop_back(); break;
    case 2: vocabulary.types.push_back(1); break;
    case 3: vocabulary.scores[1] = std::nanf(""); break;
    case 4: vocabulary.types[1] = 9; break;
    case 5: vocabulary.bos = 4; break;
    case 6: vocabulary.eos = -1; break;
    case 7: vocabulary.tokens[1] = std::string(1 << 20, 'x'); break;
    case 8: ranked("ab"); break;
    case 9: ranked("a c"); break;
    default:
        ranked("a b");
        vocabulary.preTokenizer = "from-the-future";
    }
    const auto made = makeTokenizer(vocabulary, "model.gguf");
    QVERIFY(!made.has_value());
    QVERIFY2(static_cast<int>(made.error().code) == code, toString(made.error()).c_str());
    QCOMPARE(made.error().where, std::string("model.gguf"));
}

void TestHostileTokenizers::mutations_data()
{
    QTest::addColumn<QString>("file");
    for (const char *file : {"sp_unigram/spm.model", "sp_bpe/spm.model", "bytelevel_gpt2/tokenizer.json",
                             "bytelevel_llama3/tokenizer.json", "llama2c_tok512/tok512.bin"})
        QTest::newRow(file) << QString(file);
}

void TestHostileTokenizers::mutations()
{
    QFETCH(QString, file);
    const std::string original = fixtures::readFile(fixtures::path(file.toStdString()));
    const QByteArray name = QFileInfo(file).fileName().toUtf8();
    std::mt19937 random(2024);
    QTemporaryDir folder;
    int accepted = 0;
    for (int round = 0; round < 1000; ++round) {
        std::string content = original;
        // Early bytes hold most of the structure, so half of the changes go there.
        const auto place = [&] {
            return random() % (random() % 2 ? content.size() : std::min<std::size_t>(content.size(), 2000));
        };
        for (unsigned change = 0; change <= random() % 4 && !content.empty(); ++change) {
            switch (random() % 5) {
            case 0: content[place()] ^= static_cast<char>(1 << (random() % 8)); break;
            case 1: content[place()] = static_cast<char>(random()); break;
            case 2: content.erase(place(), 1 + random() % 16); break;
            case 3: content.insert(place(), std::string(1 + random() % 8, static_cast<char>(random()))); break;
            default: content.resize(place()); break;
            }
        }
        lens::test::CpuTimer timer;
        timer.start();
        const auto loaded = loadBytes(folder, name.constData(), content);
        if (loaded) {
            ++accepted;
            exercise(**loaded, random);
        } else {
            QVERIFY(!loaded.error().what.empty() && !loaded.error().where.empty());
        }
        QVERIFY2(timer.elapsed() < 1000, "round " + QByteArray::number(round));
    }
    qInfo("%d of 1000 mutations still load", accepted);
}

void TestHostileTokenizers::largeTexts()
{
    constexpr std::size_t size = 1 << 20;
    std::string emoji;
    while (emoji.size() < size)
        emoji += "\U0001F600\u4e2d";
    const std::string texts[] = {std::string(size, 'a'), std::string(size, ' '), std::string(size, '\n'), emoji};
    for (const char *file : {"sp_unigram/spm.model", "sp_bpe/spm.model", "bytelevel_gpt2/tokenizer.json",
                             "bytelevel_llama3/tokenizer.json", "llama2c_tok512/tok512.bin"}) {
        const auto loaded = loadTokenizerFile(fixtures::path(file));
        QVERIFY(loaded.has_value());
        for (const std::string &text : texts) {
            lens::test::CpuTimer timer;
            timer.start();
            QVERIFY((*loaded)->encode(text).has_value());
            // About a second on an idle machine; the bound only has to tell linear from quadratic.
            QVERIFY2(timer.elapsed() < 10000, file);
        }
    }
}

QTEST_APPLESS_MAIN(TestHostileTokenizers)
#include "tst_hostiletokenizers.moc"
