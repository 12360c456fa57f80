// Tokenizer files against the ids and texts of their reference implementations.
#include "core/text/tokenizerfixtures.h"

#include <QtTest>

using namespace lens;
using nlohmann::json;

namespace {

using Ids = std::vector<TokenId>;

// sentencepiece renders control pieces as nothing, Hugging Face as they are spelled.
struct Fixture {
    const char *folder, *file;
    bool skipSpecial;
};

constexpr Fixture all[] = {{"sp_unigram", "spm.model", true},
                           {"sp_bpe", "spm.model", true},
                           {"bytelevel_gpt2", "tokenizer.json", false},
                           {"bytelevel_llama3", "tokenizer.json", false}};

TokenizerPtr load(const Fixture &fixture)
{
    const auto loaded = loadTokenizerFile(fixtures::path(fixture.folder) + "/" + fixture.file);
    if (!loaded)
        qWarning("%s", toString(loaded.error()).c_str());
    return loaded.value_or(nullptr);
}

QByteArray shown(const Ids &ids)
{
    return QByteArray::fromStdString(json(ids).dump());
}

void compareIds(const Result<Ids> &actual, const Ids &expected, const std::string &text)
{
    QVERIFY(actual.has_value());
    QVERIFY2(*actual == expected, "text " + QByteArray::fromStdString(json(text).dump()) + "\nactual   "
                                      + shown(*actual) + "\nexpected " + shown(expected));
}

} // namespace

class TestTokenizers : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void golden_data();
    void golden();
    void streamEqualsWhole();
    void embeddedLlama2c();
    void realLlama2Model();
    void specialTokensAreFound();
    void unusualTexts_data();
    void unusualTexts();
    void controlTokensNeedPermission();
    void folder();
};

void TestTokenizers::golden_data()
{
    QTest::addColumn<int>("index");
    for (int i = 0; i < static_cast<int>(std::size(all)); ++i)
        QTest::newRow(all[i].folder) << i;
}

void TestTokenizers::golden()
{
    QFETCH(int, index);
    const Fixture &fixture = all[index];
    const TokenizerPtr tokenizer = load(fixture);
    QVERIFY(tokenizer);
    const json golden = fixtures::readJson(std::string(fixture.folder) + "/strings.json");
    for (const json &row : golden["strings"]) {
        const auto text = row["text"].get<std::string>();
        const auto ids = row["ids"].get<Ids>();
        compareIds(tokenizer->encode(text, {.addSpecial = false, .parseSpecial = !fixture.skipSpecial}), ids, text);
        if (row.contains("ids_with_special"))
            compareIds(tokenizer->encode(text, {.addSpecial = true, .parseSpecial = true}),
                       row["ids_with_special"].get<Ids>(), text);
        QCOMPARE(tokenizer->decode(ids, fixture.skipSpecial), row["decoded"].get<std::string>());
        if (row.contains("decoded_skip_special"))
            QCOMPARE(tokenizer->decode(ids, true), row["decoded_skip_special"].get<std::string>());
        for (std::size_t i = 0; i < ids.size(); ++i) {
            // Of unknown pieces, and of <mask> that swallows spaces, the reference shows the text they stand for.
            if (tokenizer->special().unknown != ids[i] && tokenizer->piece(ids[i]) != "<mask>")
                QCOMPARE(tokenizer->piece(ids[i]), row["pieces"][i].get<std::string>());
        }
        if (QTest::currentTestFailed())
            return;
    }
    for (const json &row : golden["decode_only"])
        QCOMPARE(tokenizer->decode(row["ids"].get<Ids>(), fixture.skipSpecial), row["decoded"].get<std::string>());
}

void TestTokenizers::streamEqualsWhole()
{
    std::mt19937 random(7);
    for (const Fixture &fixture : all) {
        const TokenizerPtr tokenizer = load(fixture);
        QVERIFY(tokenizer);
        std::vector<Ids> sequences;
        const json golden = fixtures::readJson(std::string(fixture.folder) + "/strings.json");
        for (const json &row : golden["strings"])
            sequences.push_back(row["ids"].get<Ids>());
        for (int i = 0; i < 500; ++i)
            sequences.push_back(fixtures::randomIds(random, tokenizer->size() + 3, 1 + random() % 40));
        for (const Ids &ids : sequences) {
            for (const bool skipSpecial : {false, true}) {
                bool whole = true;
                QCOMPARE(fixtures::streamed(tokenizer, ids, skipSpecial, whole), tokenizer->decode(ids, skipSpecial));
                QVERIFY(whole);
            }
        }
    }
}

void TestTokenizers::embeddedLlama2c()
{
    const auto loaded = loadTokenizerFile(fixtures::path("llama2c_tok512/tok512.bin"));
    QVERIFY2(loaded.has_value(), loaded ? "" : toString(loaded.error()).c_str());
    const Tokenizer &tokenizer = **loaded;
    QCOMPARE(tokenizer.size(), std::size_t(512));
    QCOMPARE(tokenizer.special().bos, std::optional<TokenId>(1));
    QCOMPARE(tokenizer.special().eos, std::optional<TokenId>(2));
    for (const std::string text : {"Once upon a time, there was a little girl named Lily.", "caf\u00e9 \U0001F600\n"}) {
        const auto ids = tokenizer.encode(text);
        QVERIFY(ids.has_value());
        QCOMPARE(ids->front(), 1);
        QCOMPARE(tokenizer.decode(*ids, true), text);
    }
    // As llama2.c itself encodes them.
    compareIds(tokenizer.encode("Once upon a time"), {1, 403, 407, 261, 378}, "Once upon a time");
}

void TestTokenizers::realLlama2Model()
{
    const char *models = std::getenv("SUPRALENS_MODELS");
    const std::string file = std::string(models ? models : "") + "/llama2-tokenizer.model";
    if (!models || !std::filesystem::exists(file))
        QSKIP("no llama2-tokenizer.model in $SUPRALENS_MODELS");
    const auto loaded = loadTokenizerFile(file);
    QVERIFY2(loaded.has_value(), loaded ? "" : toString(loaded.error()).c_str());
    compareIds((*loaded)->encode("Hello world"), {1, 15043, 3186}, "Hello world");
    compareIds((*loaded)->encode("</s>"), {1, 1533, 29879, 29958}, "</s>");
    compareIds((*loaded)->encode("</s>", {.parseSpecial = true}), {1, 2}, "</s>");
}

void TestTokenizers::specialTokensAreFound()
{
    const TokenizerPtr llama3 = load(all[3]);
    QVERIFY(llama3);
    QCOMPARE(llama3->special().bos, std::optional<TokenId>(594));
    QCOMPARE(llama3->special().endOfGeneration, (Ids{595, 598}));
    QVERIFY(llama3->isSpecial(598));
    QVERIFY(!llama3->isSpecial(599));
    QCOMPARE(load(all[0])->special().endOfGeneration, Ids{2});
}

void TestTokenizers::unusualTexts_data()
{
    QTest::addColumn<QByteArray>("text");
    QTest::newRow("empty") << QByteArray();
    QTest::newRow("NUL") << QByteArray("a\0b", 3);
    QTest::newRow("lone surrogate bytes") << QByteArray("x\xED\xA0\x80y");
    QTest::newRow("lone continuation bytes") << QByteArray("\x80\xBF\xFF\xFE");
    QTest::newRow("unfinished character") << QByteArray("ok \xF0\x9F\x98");
    QTest::newRow("bidi") << QByteArray("\u202Eabc\u202C \u2067\u05E9\u05DC\u05D5\u05DD\u2069");
    QTest::newRow("jinja comment") << QByteArray("{# {{ x }} {% raw %}");
    QTest::newRow("overlong") << QByteArray("\xC0\xAF\xE0\x80\xAF");
}

void TestTokenizers::unusualTexts()
{
    QFETCH(QByteArray, text);
    for (const Fixture &fixture : all) {
        const TokenizerPtr tokenizer = load(fixture);
        QVERIFY(tokenizer);
        const std::string bytes = text.toStdString();
        for (const bool parseSpecial : {false, true}) {
            const auto ids = tokenizer->encode(bytes, {.addSpecial = false, .parseSpecial = parseSpecial});
            QVERIFY(ids.has_value());
            QCOMPARE(ids->empty(), bytes.empty());
            const std::string decoded = tokenizer->decode(*ids);
            QVERIFY(isValidUtf8(decoded));
            if (isValidUtf8(bytes) && std::string_view(fixture.folder) != "sp_unigram")
                QCOMPARE(decoded, bytes);
        }
    }
}

void TestTokenizers::controlTokensNeedPermission()
{
    const TokenizerPtr tokenizer = load(all[2]);
    QVERIFY(tokenizer);
    const auto contains = [](const Result<Ids> &ids, TokenId id) {
        return ids && std::find(ids->begin(), ids->end(), id) != ids->end();
    };
    QVERIFY(!contains(tokenizer->encode("a<|im_end|>b"), 2));
    QVERIFY(contains(tokenizer->encode("a<|im_end|>b", {.parseSpecial = true}), 2));
    // The added token of two tabs is ordinary text to its author, and always recognised.
    QVERIFY(contains(tokenizer->encode("a\t\tb"), 599));

    const std::vector<TextSegment> prompt{{"<|im_start|>user\n", true}, {"hi<|im_end|>", false}, {"<|im_end|>", true}};
    const auto ids = tokenizer->encodeSegments(prompt, false);
    QVERIFY(ids.has_value());
    QCOMPARE(std::count(ids->begin(), ids->end(), 1), 1);
    QCOMPARE(std::count(ids->begin(), ids->end(), 2), 1);
    QCOMPARE(ids->back(), 2);
    // A control token must not arise across the border of two segments either.
    QVERIFY(
        !contains(tokenizer->encodeSegments(std::vector<TextSegment>{{"<|im_", true}, {"end|>", false}}, false), 2));
}

void TestTokenizers::folder()
{
    QTemporaryDir folder;
    const auto write = [&folder](const char *name, const std::string &content) {
        std::ofstream(folder.filePath(name).toStdString(), std::ios::binary) << content;
    };
    const std::filesystem::path path = folder.path().toStdString();
    const auto missing = loadTokenizerFolder(path);
    QVERIFY(!missing && missing.error().code == ErrorCode::NotFound);

    write("tokenizer.json", fixtures::readFile(fixtures::path("bytelevel_gpt2/tokenizer.json")));
    write("tokenizer_config.json", R"({"bos_token": "<|im_start|>", "eos_token": {"content": "<|im_end|>"},
        "add_bos_token": true, "chat_template": [{"name": "tool_use", "template": "no"},
                                                 {"name": "default", "template": "yes"}]})");
    write("generation_config.json", R"({"eos_token_id": [2, 0, 99999]})");
    const auto loaded = loadTokenizerFolder(path);
    QVERIFY2(loaded.has_value(), loaded ? "" : toString(loaded.error()).c_str());
    QCOMPARE((*loaded)->special().bos, std::optional<TokenId>(1));
    QCOMPARE((*loaded)->special().eos, std::optional<TokenId>(2));
    QCOMPARE((*loaded)->special().endOfGeneration, (Ids{2, 0}));
    QCOMPARE(std::string((*loaded)->chatTemplate()), std::string("yes"));
    QCOMPARE((*loaded)->encode("")->front(), 1);

    write("chat_template.jinja", "from file");
    QCOMPARE(std::string((*loadTokenizerFolder(path))->chatTemplate()), std::string("from file"));
    write("tokenizer_config.json", "{");
    const auto broken = loadTokenizerFolder(path);
    QVERIFY(!broken && broken.error().code == ErrorCode::Malformed);
}

QTEST_APPLESS_MAIN(TestTokenizers)
#include "tst_tokenizers.moc"
