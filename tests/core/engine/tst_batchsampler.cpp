// Sampling many texts at once: each must be what its sequence gives alone.
#include "engine/batchdraw.h"
#include "engine/batchsampler.h"
#include "engine/sampler.h"
#include "model/languagemodel.h"

#include <QtTest>
#include <c10/core/GradMode.h>
#include <cmath>
#include <map>

using namespace lens;
using Ids = std::vector<TokenId>;

namespace {

LoadedModelPtr load(const QByteArray &name)
{
    LoadOptions options;
    options.device = "cpu";
    options.dtype = "float32";
    const auto model = loadModel(std::string(SUPRALENS_TEST_DATA "/models/") + name.toStdString(), options);
    if (!model)
        qFatal("%s", toString(model.error()).c_str());
    return *model;
}

/// Prompts of 3 to 12 tokens; each row has another temperature and seed.
std::vector<BatchRow> rowsFor(const LoadedModel &model, std::size_t count, double hottest)
{
    std::vector<BatchRow> rows;
    for (std::size_t i = 0; i < count; ++i) {
        BatchRow row;
        for (std::size_t t = 0; t < 3 + i * 5 % 10; ++t)
            row.prompt.push_back(static_cast<TokenId>((i * 31 + t * 17 + 5) % static_cast<std::size_t>(model.info().vocabulary)));
        row.temperature = hottest * static_cast<double>(i % 3) / 2;
        row.seed = 1000 + i;
        rows.push_back(std::move(row));
    }
    return rows;
}

std::map<std::size_t, BatchSample> sample(const LoadedModel &model, std::span<const BatchRow> rows,
                                          const BatchSamplingOptions &options)
{
    std::map<std::size_t, BatchSample> samples;
    const auto sampled = sampleBatch(model, rows, options, [&](const BatchSample &sample) -> Result<void> {
        if (!samples.emplace(sample.row, sample).second)
            qFatal("a row ended twice");
        return {};
    });
    if (!sampled)
        qFatal("%s", toString(sampled.error()).c_str());
    return samples;
}

GenerationResult alone(const LoadedModelPtr &model, const BatchRow &row, const BatchSamplingOptions &options)
{
    GenerationOptions wanted;
    wanted.maxTokens = options.maxTokens;
    wanted.sampling.temperature = row.temperature;
    wanted.sampling.seed = row.seed;
    wanted.sampling.topK = options.topK;
    wanted.sampling.topP = options.topP;
    auto session = DecodeSession::create(model);
    return *(*session)->generate(row.prompt, wanted, {}, {});
}

} // namespace

class TestBatchSampler : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void eachRowAsAlone_data();
    void eachRowAsAlone();
    void batchSizeDoesNotMatter();
    void bfloat16RowsAsAlone_data();
    void bfloat16RowsAsAlone();
    void drawsLikeTheSampler_data();
    void drawsLikeTheSampler();
    void drawsByProbability();
    void largeVocabularies();
    void badLogits();
    void refusals();
    void failingReceiver();
    void cancel();
};

void TestBatchSampler::eachRowAsAlone_data()
{
    QTest::addColumn<QByteArray>("name");
    QTest::addColumn<double>("hottest");
    QTest::addColumn<int>("topK");
    QTest::addColumn<double>("topP");
    for (const char *name : {"gguf_f16/model.gguf", "hf_mistral_window", "supra_gqa_h8_kv2", "supra_h6@hybrid"}) {
        const QByteArray model = QByteArray(name) == "supra_h6@hybrid" ? QByteArray("gguf_f16/model.gguf@supra:identity:layers=0")
                                                                       : QByteArray(name);
        const std::string label = name;
        QTest::newRow((label + " greedy").c_str()) << model << 0.0 << 0 << 1.0;
        QTest::newRow((label + " all").c_str()) << model << 1.5 << 0 << 1.0;
        QTest::newRow((label + " top-p").c_str()) << model << 1.0 << 0 << 0.9;
        QTest::newRow((label + " top-k").c_str()) << model << 1.0 << 20 << 0.95;
    }
}

void TestBatchSampler::eachRowAsAlone()
{
    QFETCH(QByteArray, name);
    QFETCH(double, hottest);
    QFETCH(int, topK);
    QFETCH(double, topP);
    const LoadedModelPtr model = load(name);
    const std::vector<BatchRow> rows = rowsFor(*model, 7, hottest);
    const BatchSamplingOptions options{24, topK, topP};
    const auto samples = sample(*model, rows, options);
    QCOMPARE(samples.size(), rows.size());
    for (const auto &[row, sample] : samples) {
        const GenerationResult expected = alone(model, rows[row], options);
        QCOMPARE(sample.ids, expected.ids);
        QCOMPARE(int(sample.reason), int(expected.reason));
    }
}

void TestBatchSampler::batchSizeDoesNotMatter()
{
    const LoadedModelPtr model = load("gguf_f16/model.gguf");
    const std::vector<BatchRow> rows = rowsFor(*model, 20, 2.0);
    const BatchSamplingOptions options{40, 0, 0.95};
    const auto together = sample(*model, rows, options);
    for (const std::size_t size : {1, 3, 8}) {
        for (std::size_t begin = 0; begin < rows.size(); begin += size) {
            const auto part = std::span(rows).subspan(begin, std::min(size, rows.size() - begin));
            for (const auto &[row, sample] : sample(*model, part, options))
                QCOMPARE(sample.ids, together.at(begin + row).ids);
        }
    }
}

void TestBatchSampler::bfloat16RowsAsAlone_data()
{
    QTest::addColumn<QByteArray>("name");
    QTest::newRow("grouped heads") << QByteArray("gguf_f16/model.gguf");
    QTest::newRow("sliding window") << QByteArray("hf_mistral_window");
}

void TestBatchSampler::bfloat16RowsAsAlone()
{
    QFETCH(QByteArray, name);
    LoadOptions options;
    options.device = "cpu";
    options.dtype = "bfloat16";
    const auto loaded = loadModel(std::string(SUPRALENS_TEST_DATA "/models/") + name.toStdString(), options);
    QVERIFY(loaded.has_value());
    const LanguageModel &model = *(*loaded)->model();
    constexpr std::int64_t rows = 3, tokens = 40;
    const at::Tensor ids = (at::arange(rows * tokens, at::kLong) * 31 + 7).remainder((*loaded)->info().vocabulary)
                               .view({rows, tokens});
    const auto logits = [&](const at::Tensor &batch) {
        const c10::NoGradGuard noGrad;
        ModelState state = model.initialState(batch.size(0));
        std::vector<at::Tensor> columns;
        for (std::int64_t t = 0; t < tokens; ++t)
            columns.push_back(model.forward(batch.narrow(1, t, 1), state, {}));
        return at::cat(columns, 1);
    };
    const at::Tensor together = logits(ids);
    for (std::int64_t row = 0; row < rows; ++row) {
        const at::Tensor alone = logits(ids.narrow(0, row, 1));
        const double error = ((together[row] - alone[0]).norm() / alone.norm()).item<double>();
        QVERIFY2(error < 0.02, QByteArray::number(error));
    }
}

void TestBatchSampler::drawsLikeTheSampler_data()
{
    QTest::addColumn<int>("topK");
    QTest::addColumn<double>("topP");
    QTest::newRow("all") << 0 << 1.0;
    QTest::newRow("top-k") << 5 << 1.0;
    QTest::newRow("top-p") << 0 << 0.7;
    QTest::newRow("nearly all") << 0 << 0.999;
    QTest::newRow("both") << 40 << 0.8;
    QTest::newRow("at least one") << 0 << 0.0;
    QTest::newRow("more than there are") << 5000 << 0.9;
}

void TestBatchSampler::drawsLikeTheSampler()
{
    QFETCH(int, topK);
    QFETCH(double, topP);
    constexpr std::int64_t rows = 200, vocabulary = 1000;
    const at::Tensor logits = at::arange(rows * vocabulary, at::kDouble).mul(12.9898).sin().mul(43758.5453).frac().mul(4)
                                  .to(at::kFloat).view({rows, vocabulary});
    std::vector<Draw> draws;
    for (std::int64_t i = 0; i < rows; ++i)
        draws.push_back({0.25 * static_cast<double>(i % 9), uniformAt(5, static_cast<std::uint64_t>(i))});
    const auto drawn = drawTokens(logits, draws, topK, topP);
    QVERIFY(drawn.has_value());
    int different = 0;
    for (std::int64_t i = 0; i < rows; ++i) {
        SamplingOptions options;
        options.temperature = draws[std::size_t(i)].temperature;
        options.topK = topK;
        options.topP = topP;
        options.seed = 5;
        const Ids history(std::size_t(i), 0);
        const at::Tensor row = logits[i].contiguous();
        const auto expected = chooseToken({row.const_data_ptr<float>(), std::size_t(vocabulary)}, history, options);
        QVERIFY(expected.has_value());
        different += *expected != (*drawn)[std::size_t(i)];
    }
    // float against double: a number that falls between two tokens may fall to the other side.
    QVERIFY2(different <= 1, QByteArray::number(different));
}

void TestBatchSampler::drawsByProbability()
{
    constexpr int rows = 20000;
    const at::Tensor logits = at::log(at::tensor({0.5f, 0.0f, 0.3f, 0.15f, 0.05f}).clamp_min(1e-30f)).expand({rows, 5});
    std::vector<Draw> draws;
    for (int i = 0; i < rows; ++i)
        draws.push_back({1.0, uniformAt(1, std::uint64_t(i))});
    const auto count = [&](int topK, double topP) {
        std::vector<double> share(5);
        const auto drawn = drawTokens(logits, draws, topK, topP);
        for (const TokenId id : drawn.value_or(Ids()))
            share[std::size_t(id)] += 1.0 / rows;
        return share;
    };
    const auto close = [](const std::vector<double> &actual, const std::vector<double> &expected) {
        for (std::size_t i = 0; i < actual.size(); ++i)
            if (std::abs(actual[i] - expected[i]) > 0.015)
                return false;
        return true;
    };
    QVERIFY(close(count(0, 1), {0.5, 0, 0.3, 0.15, 0.05}));
    QVERIFY(close(count(2, 1), {0.625, 0, 0.375, 0, 0}));
    QVERIFY(close(count(0, 0.9), {0.5 / 0.95, 0, 0.3 / 0.95, 0.15 / 0.95, 0}));
}

void TestBatchSampler::largeVocabularies()
{
    // So flat that top-p needs nearly all tokens: more than are looked at first.
    const at::Tensor logits = at::zeros({3, 30000});
    const auto drawn = drawTokens(logits, std::vector<Draw>{{1, 0.0}, {1, 0.5}, {1, 0.999999}}, 0, 0.99);
    QVERIFY(drawn.has_value());
    QVERIFY((*drawn)[0] != (*drawn)[1] && (*drawn)[1] != (*drawn)[2]);
    // One row that needs them, one that does not.
    at::Tensor mixed = at::zeros({2, 30000});
    mixed[1][7] = 50;
    QCOMPARE((*drawTokens(mixed, std::vector<Draw>{{1, 0.3}, {1, 0.3}}, 0, 0.9))[1], 7);
}

void TestBatchSampler::badLogits()
{
    at::Tensor logits = at::zeros({2, 10});
    logits[1][3] = std::nan("");
    QCOMPARE(drawTokens(logits, std::vector<Draw>{{1, 0.5}, {1, 0.5}}, 0, 1).error().code, ErrorCode::Internal);
}

void TestBatchSampler::refusals()
{
    const LoadedModelPtr model = load("gguf_f16/model.gguf");
    const auto code = [&](const BatchRow &row, const BatchSamplingOptions &options) {
        const std::vector<BatchRow> rows = {{{1, 2}, 1, 0}, row};
        const auto sampled = sampleBatch(*model, rows, options, [](const BatchSample &) -> Result<void> { return {}; });
        return sampled ? ErrorCode::Cancelled : sampled.error().code;
    };
    const BatchRow good{{1}, 1, 0};
    QCOMPARE(code({{}, 1, 0}, {}), ErrorCode::InvalidArgument);
    QCOMPARE(code({{-1}, 1, 0}, {}), ErrorCode::InvalidArgument);
    QCOMPARE(code({{1 << 30}, 1, 0}, {}), ErrorCode::InvalidArgument);
    QCOMPARE(code({{1}, -1, 0}, {}), ErrorCode::InvalidArgument);
    QCOMPARE(code(good, {0, 0, 1}), ErrorCode::InvalidArgument);
    QCOMPARE(code(good, {10, -1, 1}), ErrorCode::InvalidArgument);
    QCOMPARE(code(good, {10, 0, 1.5}), ErrorCode::InvalidArgument);
    QCOMPARE(code(good, {std::int64_t(1) << 40, 0, 1}), ErrorCode::OutOfMemory);
    QVERIFY(sampleBatch(*model, {}, {}, [](const BatchSample &) -> Result<void> { return {}; }).has_value());
}

void TestBatchSampler::failingReceiver()
{
    const LoadedModelPtr model = load("gguf_f16/model.gguf");
    const auto sampled = sampleBatch(*model, rowsFor(*model, 4, 1), {8, 0, 1},
                                     [](const BatchSample &) -> Result<void> { return fail(ErrorCode::Io, "full"); });
    QCOMPARE(sampled.error().code, ErrorCode::Io);
}

void TestBatchSampler::cancel()
{
    const LoadedModelPtr model = load("gguf_f16/model.gguf");
    std::stop_source stop;
    const auto sampled = sampleBatch(
        *model, rowsFor(*model, 4, 1), {100000, 0, 1}, [](const BatchSample &) -> Result<void> { return {}; },
        stop.get_token(), [&](const Progress &progress) {
            if (progress.done > 100)
                stop.request_stop();
        });
    QCOMPARE(sampled.error().code, ErrorCode::Cancelled);
}

QTEST_GUILESS_MAIN(TestBatchSampler)
#include "tst_batchsampler.moc"
