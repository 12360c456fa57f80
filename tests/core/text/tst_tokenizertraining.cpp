// Tokenizers trained here: what they must be like, and that every text survives them.
#include "text/tokenizer.h"
#include "text/tokenizertraining.h"

#include <QFile>
#include <QTemporaryDir>
#include <QtTest>
#include <set>

using namespace lens;

namespace {

using Ids = std::vector<TokenId>;

/// Simple sentences, other ones with each seed.
std::vector<std::string> stories(unsigned seed, int count)
{
    const char *const who[] = {"The cat", "A little girl", "Tom", "The old dog", "Her mother", "Lily"};
    const char *const does[] = {"found", "wanted", "liked to see", "could not carry", "lost", "gave away"};
    const char *const what[] = {"a red ball", "the big tree", "37 stones", "some bread", "nothing", "a boat of 1234 planks"};
    std::vector<std::string> texts;
    for (int i = 0; i < count; ++i) {
        std::string text;
        for (int line = 0; line < 5; ++line) {
            seed = seed * 1664525 + 1013904223;
            text += std::string(who[(seed >> 8) % 6]) + " " + does[(seed >> 16) % 6] + " " + what[(seed >> 24) % 6] + ".\n";
        }
        texts.push_back(text);
    }
    return texts;
}

TextSource sourceOf(std::vector<std::string> texts)
{
    return [texts = std::move(texts), next = std::size_t(0)]() mutable -> Result<std::optional<std::string>> {
        if (next == texts.size())
            return std::optional<std::string>();
        return std::optional(texts[next++]);
    };
}

TokenizerTraining training(std::int64_t vocabulary, TokenizerTraining::Model model = TokenizerTraining::Model::Bpe)
{
    TokenizerTraining options;
    options.vocabulary = vocabulary;
    options.model = model;
    return options;
}

TokenizerPtr load(const std::string &model)
{
    QTemporaryDir folder;
    QFile file(folder.filePath("tokenizer.model"));
    if (!file.open(QIODevice::WriteOnly) || file.write(model.data(), qint64(model.size())) < 0)
        return nullptr;
    file.close();
    return loadTokenizerFile(file.fileName().toStdString()).value_or(nullptr);
}

} // namespace

class TestTokenizerTraining : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void likeLlama_data() { models(); }
    void likeLlama();
    void everyTextSurvives_data() { models(); }
    void everyTextSurvives();
    void sameInputSameModel_data() { models(); }
    void sameInputSameModel();
    void longLines();
    void refusals();
    void failingSource();
    void cancel();

private:
    void models()
    {
        QTest::addColumn<bool>("bpe");
        QTest::newRow("bpe") << true;
        QTest::newRow("unigram") << false;
    }

    Result<std::string> train(std::vector<std::string> texts, std::int64_t vocabulary = 315) const
    {
        QFETCH(bool, bpe);
        return trainTokenizer(sourceOf(std::move(texts)),
                              training(vocabulary, bpe ? TokenizerTraining::Model::Bpe : TokenizerTraining::Model::Unigram));
    }
};

void TestTokenizerTraining::likeLlama()
{
    const auto model = train(stories(1, 200));
    QVERIFY2(model.has_value(), model ? "" : toString(model.error()).c_str());
    const TokenizerPtr tokenizer = load(*model);
    QVERIFY(tokenizer);
    QCOMPARE(tokenizer->size(), std::size_t(315));
    QCOMPARE(tokenizer->special().unknown, std::optional<TokenId>(0));
    QCOMPARE(tokenizer->special().bos, std::optional<TokenId>(1));
    QCOMPARE(tokenizer->special().eos, std::optional<TokenId>(2));
    QCOMPARE(tokenizer->piece(3), std::string("<0x00>"));
    const auto ids = tokenizer->encode("The cat found 37 stones");
    QVERIFY(ids.has_value());
    QCOMPARE(ids->front(), 1);
    QVERIFY(ids->size() < 20);
    // Digits stand alone.
    std::set<std::string> pieces;
    for (const TokenId id : *ids)
        pieces.insert(tokenizer->piece(id));
    QVERIFY(pieces.count("3") && pieces.count("7"));
}

void TestTokenizerTraining::everyTextSurvives()
{
    const auto model = train(stories(2, 200));
    QVERIFY(model.has_value());
    const TokenizerPtr tokenizer = load(*model);
    QVERIFY(tokenizer);
    std::vector<std::string> texts = {"",        " ",           "  two  spaces  ", "\n\ntabs\tand\r\nbreaks\n",
                                      "ﬁ é e\xcc\x81 \xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\xa6\x8a", "a\xc2\xa0" "b",
                                      "</s> <s> <0x41> <unk>", "12345678", std::string("nul\0inside", 10)};
    for (int c = 1; c < 128; ++c)
        texts.push_back(std::string(3, char(c)));
    for (const std::string &text : texts) {
        const auto ids = tokenizer->encode(text);
        QVERIFY(ids.has_value());
        QCOMPARE(tokenizer->decode(*ids, true), text);
        QVERIFY(std::find(ids->begin() + 1, ids->end(), 0) == ids->end());
    }
}

void TestTokenizerTraining::sameInputSameModel()
{
    const auto first = train(stories(3, 100)), second = train(stories(3, 100)), other = train(stories(4, 20));
    QVERIFY(first && second && other);
    QVERIFY(*first == *second);
    QVERIFY(*first != *other);
}

void TestTokenizerTraining::longLines()
{
    std::string line;
    for (const std::string &story : stories(5, 200))
        line += story.substr(0, story.size() - 1) + " ";
    std::erase(line, '\n');
    const std::string unbroken(10000, 'w');
    const auto model = trainTokenizer(sourceOf({line, unbroken + "\xc3\xa9", line}), training(330));
    QVERIFY2(model.has_value(), model ? "" : toString(model.error()).c_str());
    QVERIFY(load(*model)->encode("The cat found a red ball.")->size() < 20);
}

void TestTokenizerTraining::refusals()
{
    QCOMPARE(trainTokenizer(sourceOf({}), training(300)).error().code, ErrorCode::InvalidArgument);
    QCOMPARE(trainTokenizer(sourceOf({"", "\n\n"}), training(300)).error().code, ErrorCode::InvalidArgument);
    QCOMPARE(trainTokenizer(sourceOf(stories(1, 10)), training(259)).error().code, ErrorCode::InvalidArgument);
    QCOMPARE(trainTokenizer(sourceOf(stories(1, 10)), training(262)).error().code, ErrorCode::InvalidArgument);
    QCOMPARE(trainTokenizer(sourceOf({"abc"}), training(8000)).error().code, ErrorCode::InvalidArgument);
    QCOMPARE(trainTokenizer(sourceOf({"abc"}), training(8000, TokenizerTraining::Model::Unigram)).error().code,
             ErrorCode::InvalidArgument);
    QCOMPARE(trainTokenizer(sourceOf({std::string(4, '\0')}), training(300)).error().code, ErrorCode::InvalidArgument);
}

void TestTokenizerTraining::failingSource()
{
    int calls = 0;
    const auto model = trainTokenizer(
        [&]() -> Result<std::optional<std::string>> {
            if (++calls == 3)
                return fail(ErrorCode::Truncated, "cut");
            return std::optional(std::string("once upon a time"));
        },
        training(300));
    QCOMPARE(model.error().code, ErrorCode::Truncated);
    QCOMPARE(calls, 3);
}

void TestTokenizerTraining::cancel()
{
    std::stop_source stop;
    int calls = 0;
    const auto model = trainTokenizer(
        [&]() -> Result<std::optional<std::string>> {
            if (++calls == 5)
                stop.request_stop();
            return std::optional(std::string("once upon a time"));
        },
        training(300), stop.get_token());
    QCOMPARE(model.error().code, ErrorCode::Cancelled);
    QCOMPARE(calls, 5);
}

QTEST_GUILESS_MAIN(TestTokenizerTraining)
#include "tst_tokenizertraining.moc"
