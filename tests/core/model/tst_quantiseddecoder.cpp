// A decoder whose matrices stay quantised, against the same one expanded: prefill, decoding, conversion, adapters, files.
#include "convert/adapter.h"
#include "convert/convert.h"
#include "convert/export.h"
#include "kernels/tiles.h"
#include "mixer/decay.h"
#include "model/decodestep.h"
#include "support/tensorcheck.h"

#include <QTemporaryDir>
#include <c10/core/GradMode.h>
#include <cstring>

using namespace lens;
using namespace lens::test;

namespace {

DecoderConfig configOf()
{
    DecoderConfig config;
    config.architecture = "llama";
    config.vocabulary = 101;
    config.hiddenSize = 64;
    config.trainedContext = 256;
    config.tiedEmbeddings = true;
    config.norm = {NormConfig::Kind::Rms, 1e-5, true, false};
    config.feedForward.width = 96;
    MixerConfig mixer;
    mixer.heads = 4;
    mixer.kvHeads = 2;
    mixer.inputDim = mixer.keyDim = mixer.valueDim = 16;
    mixer.rope.dimensions = 16;
    mixer.rope.layout = RopeConfig::Layout::Interleaved;
    config.layers.assign(2, mixer);
    return config;
}

/// Q8_0: a scale of 0.01 and random values.
QuantisedWeight randomBlocks(std::int64_t rows, std::int64_t columns)
{
    const std::int64_t perRow = columns / 32;
    const at::Tensor blocks = at::randint(-60, 60, {rows, perRow, 34}, at::kChar).view(at::kByte).contiguous();
    const std::uint16_t scale = 0x1C00;  // 2^-8
    for (std::int64_t i = 0; i < rows * perRow; ++i)
        std::memcpy(blocks.mutable_data_ptr<std::uint8_t>() + i * 34, &scale, 2);
    return *QuantisedWeight::from(blocks.view({rows, perRow * 34}), DType::Q8_0);
}

std::shared_ptr<const Decoder> quantisedDecoder()
{
    at::manual_seed(4);
    const DecoderConfig config = configOf();
    NamedTensors weights;
    QuantisedWeights quantised;
    for (const auto &[name, shape] : requiredTensors(config))
        if (shape.size() == 2)
            quantised.emplace(name, randomBlocks(shape[0], shape[1]));
        else
            weights[name] = at::rand(shape) + 0.5;
    return Decoder::create(config, weights, "test", WeightCheck::Full, quantised).value();
}

at::Tensor logitsOf(const LanguageModel &model, std::int64_t tokens, std::int64_t batch = 1)
{
    const c10::NoGradGuard noGrad;
    ModelState state = model.initialState(batch);
    return model.forward((at::arange(batch * tokens).view({batch, tokens}) * 7).remainder(101), state, {});
}

const Decoder &decoderOf(const LanguageModelPtr &model)
{
    return dynamic_cast<const Decoder &>(*model);
}

at::Tensor decoded(const std::shared_ptr<const Decoder> &decoder, std::int64_t tokens)
{
    const auto step = DecodeStep::create(decoder, 2);
    ModelState state = decoder->initialState(1);
    std::vector<at::Tensor> rows;
    for (std::int64_t i = 0; i < tokens; ++i) {
        const auto logits = step->run(i * 7 % 101, state, nullptr, true);
        rows.push_back(at::tensor(at::ArrayRef<float>(logits.data(), logits.size())));
    }
    return at::stack(rows).unsqueeze(0);
}

SupraAdapter adapterFor(const LanguageModelPtr &converted)
{
    SupraAdapter adapter;
    adapter.config = decoderOf(converted).config();
    adapter.loraScale = 0.5;
    for (const auto &[name, weight] : decoderOf(converted).weights())
        if (name.find("feature_map") != std::string::npos)
            adapter.tensors[name] = weight + 0.01;
    for (const auto &[projection, out, in] : {std::tuple{"layers.0.mixer.q", 64, 64}, {"layers.1.mixer.out", 64, 64}, {"layers.1.ffn.down", 64, 96}}) {
        adapter.tensors[std::string(projection) + ".lora_a"] = at::randn({3, in}) * 0.1;
        adapter.tensors[std::string(projection) + ".lora_b"] = at::randn({out, 3}) * 0.1;
    }
    for (const char *layer : {"layers.0", "layers.1"})
        adapter.tensors[std::string(layer) + ".mixer.scale"] = at::rand({64}) + 0.5;
    return adapter;
}

} // namespace

class QuantisedDecoderTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void givesWhatTheExpandedOneGives()
    {
        const auto quantised = quantisedDecoder();
        const auto expanded = quantised->expanded().value();
        QVERIFY(expanded->quantised().empty() && !quantised->quantised().empty());
        QCOMPARE(expanded->expanded().value(), expanded);
        QCOMPARE(int(quantised->dtype()), int(at::kFloat));
        for (const std::int64_t tokens : {1, 3, 40}) {
            // Products by matrix tiles leave out what is below 2^-16 of a term.
            const double error = tokens > 1 && kernels::hasTiles() ? 5e-5 : 1e-5;
            QVERIFY(lens::test::relativeError(logitsOf(*quantised, tokens), logitsOf(*expanded, tokens)) < error);
            QVERIFY(lens::test::relativeError(logitsOf(*quantised, tokens, 3), logitsOf(*expanded, tokens, 3)) < error);
        }
        QVERIFY(lens::test::relativeError(decoded(quantised, 20), logitsOf(*expanded, 20)) < 1e-5);
        const ModelInfo small = quantised->describe(), large = expanded->describe();
        QCOMPARE(small.parameters, large.parameters);
        QVERIFY(small.weightBytes < 0.3 * large.weightBytes);
    }

    void conversionKeepsTheBlocks()
    {
        const auto quantised = quantisedDecoder();
        ConvertOptions options;
        options.featureMap = FeatureMapKind::ReluPerHead;
        const auto converted = convert(*quantised, options, {}, {}).value(), plain = convert(*quantised->expanded().value(), options, {}, {}).value();
        QVERIFY(decoderOf(converted).quantised().at("layers.0.mixer.q.weight").blocks().is_same(
            quantised->quantised().at("layers.0.mixer.q.weight").blocks()));
        QVERIFY(lens::test::relativeError(logitsOf(*converted, 30), logitsOf(*plain, 30)) < (kernels::hasTiles() ? 5e-5 : 1e-5));
    }

    void adaptersStandBesideTheBlocks()
    {
        const auto quantised = quantisedDecoder();
        ConvertOptions options;
        options.featureMap = FeatureMapKind::ReluPerHead;
        const SupraAdapter adapter = adapterFor(convert(*quantised, options, {}, {}).value());
        const auto adapted = applyAdapter(*quantised, adapter).value(), plain = applyAdapter(*quantised->expanded().value(), adapter).value();
        const Decoder &decoder = decoderOf(adapted);
        QCOMPARE(decoder.quantised().size(), quantised->quantised().size());
        QVERIFY(lens::test::relativeError(logitsOf(*adapted, 30), logitsOf(*plain, 30)) < 1e-4);
        QVERIFY(lens::test::relativeError(decoded(std::dynamic_pointer_cast<const Decoder>(adapted), 30), logitsOf(*plain, 30)) < 1e-4);
        QVERIFY(lens::test::relativeError(logitsOf(*decoder.expanded().value(), 30), logitsOf(*plain, 30)) < 1e-4);
    }

    void isSavedExpanded()
    {
        const QTemporaryDir folder;
        const auto quantised = quantisedDecoder();
        QVERIFY(exportNative(*quantised, folder.filePath("saved").toStdString(), {}, {}));
        const auto file = MappedFile::open(folder.filePath("saved/model.safetensors").toStdString());
        QVERIFY(file);
        QCOMPARE(readSafetensors(*file).value().size(), quantised->weights().size() + quantised->quantised().size());
    }

    void refusesWhatDoesNotFit()
    {
        const auto good = quantisedDecoder();
        const auto refused = [&](const NamedTensors &weights, const QuantisedWeights &quantised) {
            const auto made = Decoder::create(good->config(), weights, "test", WeightCheck::Full, quantised);
            return !made && made.error().code == ErrorCode::Mismatch;
        };
        QuantisedWeights narrow = good->quantised();
        narrow.at("layers.0.ffn.up.weight") = randomBlocks(96, 32);
        QVERIFY(refused(good->weights(), narrow));
        NamedTensors rounded = good->weights();
        rounded["norm.weight"] = rounded["norm.weight"].to(at::kBFloat16);
        QVERIFY(refused(rounded, good->quantised()));
        QuantisedWeights infinite = good->quantised();
        const at::Tensor blocks = infinite.at("layers.1.mixer.v.weight").blocks().clone();
        const std::uint16_t infinity = 0x7C00;
        std::memcpy(blocks.mutable_data_ptr<std::uint8_t>() + 34 * 5, &infinity, 2);
        infinite.at("layers.1.mixer.v.weight") = *QuantisedWeight::from(blocks, DType::Q8_0);
        const auto made = Decoder::create(good->config(), good->weights(), "test", WeightCheck::Full, infinite);
        QVERIFY(!made && made.error().code == ErrorCode::Malformed);
    }

    void blocksOfOtherShapesAreNone()
    {
        QVERIFY(!QuantisedWeight::from(at::zeros({4, 34}, at::kByte), DType::F32));
        QVERIFY(!QuantisedWeight::from(at::zeros({4, 33}, at::kByte), DType::Q8_0));
        QVERIFY(!QuantisedWeight::from(at::zeros({34}, at::kByte), DType::Q8_0));
        QVERIFY(!QuantisedWeight::from(at::zeros({4, 34}, at::kChar), DType::Q8_0));
        const QuantisedWeight whole = randomBlocks(10, 64), part = whole.narrow(3, 4);
        QVERIFY(at::equal(part.expanded(), whole.expanded().narrow(0, 3, 4)));
        const at::Tensor ids = at::tensor({9, 0, 4, 4}, at::kLong).view({2, 2});
        QVERIFY(at::equal(whole.rowsAt(ids), whole.expanded().index({ids})));
    }
};

QTEST_GUILESS_MAIN(QuantisedDecoderTest)
#include "tst_quantiseddecoder.moc"
