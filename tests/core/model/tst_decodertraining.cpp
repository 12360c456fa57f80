// A decoder under autograd: every form gives the same gradients, recomputation too, with less memory; memory grows with
// the length and not with its square.
#include "mixer/decay.h"
#include "model/decoder.h"
#include "support/peakmemory.h"
#include "support/tensorcheck.h"

#include <torch/csrc/autograd/autograd.h>

using namespace lens;
using namespace lens::test;

namespace {

const double kRounding = 1e-5;  // the GroupNorm has another kernel where a graph is recorded

DecoderConfig configOf(MixerKind kind, std::int64_t layers = 2)
{
    DecoderConfig config;
    config.architecture = "llama";
    config.vocabulary = 40;
    config.hiddenSize = 32;
    config.trainedContext = 4096;
    config.norm = {NormConfig::Kind::Rms, 1e-5, true, false};
    config.feedForward.width = 48;
    MixerConfig mixer;
    mixer.kind = kind;
    mixer.heads = 4;
    mixer.kvHeads = 2;
    mixer.inputDim = mixer.keyDim = mixer.valueDim = 8;
    mixer.rope.dimensions = 8;
    if (kind != MixerKind::Softmax) {
        mixer.features = kind == MixerKind::Linear ? FeatureMapForm::Elu1 : FeatureMapForm::SharedRelu;
        mixer.sharedFeatures = kind == MixerKind::Linear;
        mixer.slopes = decaySlopes(kind == MixerKind::Supra ? DecayKind::Lightning : DecayKind::None, 4);
    }
    config.layers.assign(static_cast<std::size_t>(layers), mixer);
    return config;
}

NamedTensors weightsOf(const DecoderConfig &config, bool learned)
{
    at::manual_seed(2);
    NamedTensors weights;
    for (const auto &[name, shape] : requiredTensors(config))
        weights[name] = (name.find("norm") != std::string::npos ? at::ones(shape) : at::randn(shape) * 0.2).requires_grad_(true);
    for (std::size_t i = 0; learned && i < config.layers.size(); ++i) {
        const std::string mixer = "layers." + std::to_string(i) + ".mixer";
        weights[mixer + ".log_decay"] = at::tensor({-0.5f, -0.1f, -0.02f, -1e-6f}).requires_grad_(true);
        weights[mixer + ".scale"] = (at::randn({32}) + 1).requires_grad_(true);
    }
    return weights;
}

NamedTensors gradientsOf(const Decoder &decoder, std::int64_t tokens, const ForwardOptions &options)
{
    at::manual_seed(3);
    const at::Tensor ids = at::randint(decoder.config().vocabulary, {2, tokens}, at::kLong);
    ModelState state = decoder.initialState(2);
    const at::Tensor logits = decoder.forward(ids, state, options);
    at::manual_seed(4);
    (logits * at::randn(logits.sizes())).sum().backward();
    NamedTensors gradients;
    for (const auto &[name, weight] : decoder.weights()) {
        if (weight.grad().defined())
            gradients[name] = weight.grad().clone();
        weight.mutable_grad() = at::Tensor();
    }
    return gradients;
}

bool agree(const NamedTensors &own, const NamedTensors &expected, double tolerance)
{
    if (own.size() != expected.size())
        return false;
    for (const auto &[name, gradient] : expected)
        if (!own.contains(name) || relativeError(own.at(name), gradient) > tolerance) {
            qWarning("%s: %g", name.c_str(), own.contains(name) ? relativeError(own.at(name), gradient) : -1);
            return false;
        }
    return true;
}

std::shared_ptr<const Decoder> make(const DecoderConfig &config, const NamedTensors &weights)
{
    const auto decoder = Decoder::create(config, weights, "test", WeightCheck::ShapesOnly);
    if (!decoder)
        qWarning("%s", toString(decoder.error()).c_str());
    return decoder ? *decoder : nullptr;
}

} // namespace

class DecoderTrainingTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void formsGiveTheSameGradients_data() { addKinds(); }
    void formsGiveTheSameGradients();
    void recomputationGivesTheSameGradients_data() { addKinds(); }
    void recomputationGivesTheSameGradients();
    void recomputationWithFrozenEmbedding();
    void recomputationTakesLessMemory();
    void memoryGrowsWithLength_data() { addKinds(); }
    void memoryGrowsWithLength();
    void learnedDecayStandsForTheSlopes();
    void wrongShapesAreRefused();
    void hiddenTimesOutputAreLogits();

private:
    static void addKinds()
    {
        QTest::addColumn<int>("kind");
        for (const auto kind : {MixerKind::Softmax, MixerKind::Supra, MixerKind::T2r, MixerKind::Linear})
            QTest::newRow(std::string(name(kind)).c_str()) << int(kind);
    }
};

void DecoderTrainingTest::formsGiveTheSameGradients()
{
    QFETCH(int, kind);
    const DecoderConfig config = configOf(MixerKind(kind));
    const auto decoder = make(config, weightsOf(config, MixerKind(kind) == MixerKind::Supra));
    QVERIFY(decoder);
    const NamedTensors parallel = gradientsOf(*decoder, 75, {LogitsWanted::All, {Execution::Form::Parallel, 16}, nullptr});
    QCOMPARE(parallel.size(), decoder->weights().size());
    for (const auto form : {Execution::Form::Chunked, Execution::Form::Recurrent})
        QVERIFY(agree(gradientsOf(*decoder, 75, {LogitsWanted::All, {form, 16}, nullptr}), parallel, 1e-3));
}

void DecoderTrainingTest::recomputationGivesTheSameGradients()
{
    QFETCH(int, kind);
    const DecoderConfig config = configOf(MixerKind(kind));
    const auto decoder = make(config, weightsOf(config, MixerKind(kind) == MixerKind::Supra));
    const NamedTensors plain = gradientsOf(*decoder, 60, {});
    const NamedTensors again = gradientsOf(*decoder, 60, {LogitsWanted::All, {}, nullptr, true});
    QVERIFY(agree(again, plain, kRounding));
}

void DecoderTrainingTest::recomputationWithFrozenEmbedding()
{
    const DecoderConfig config = configOf(MixerKind::Supra);
    NamedTensors weights = weightsOf(config, false);
    for (auto &[name, weight] : weights)
        weight.requires_grad_(name.find("feature_map") != std::string::npos);
    const auto decoder = make(config, weights);
    const NamedTensors plain = gradientsOf(*decoder, 60, {});
    QCOMPARE(plain.size(), std::size_t(8));
    QVERIFY(agree(gradientsOf(*decoder, 60, {LogitsWanted::All, {}, nullptr, true}), plain, kRounding));
}

void DecoderTrainingTest::recomputationTakesLessMemory()
{
    const DecoderConfig config = configOf(MixerKind::Supra, 8);
    const auto decoder = make(config, weightsOf(config, false));
    const auto peak = [&](bool recompute) {
        return peakBytes([&] { gradientsOf(*decoder, 1024, {LogitsWanted::Hidden, {}, nullptr, recompute}); });
    };
    const auto plain = peak(false), again = peak(true);
    qInfo("%.1f MB kept, %.1f MB recomputed", double(plain) / 1e6, double(again) / 1e6);
    QVERIFY(again < plain / 2);
}

void DecoderTrainingTest::memoryGrowsWithLength()
{
    QFETCH(int, kind);
    const DecoderConfig config = configOf(MixerKind(kind));
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
        NamedTensors weights;
        for (const auto &[name, weight] : weightsOf(config, false))
            weights[name] = weight.detach().to(type).requires_grad_(true);
        const auto decoder = make(config, weights);
        const auto peak = [&](std::int64_t tokens) {
            return peakBytes([&] { gradientsOf(*decoder, tokens, {LogitsWanted::Hidden, {}, nullptr}); });
        };
        const auto shorter = peak(1024), longer = peak(4096);
        qInfo("%s: %.1f MB at 1024 tokens, %.1f MB at 4096", at::toString(type), double(shorter) / 1e6, double(longer) / 1e6);
        QVERIFY(longer < 4.5 * double(shorter));
    }
}

void DecoderTrainingTest::learnedDecayStandsForTheSlopes()
{
    const DecoderConfig config = configOf(MixerKind::Supra);
    NamedTensors weights = weightsOf(config, false);
    const NamedTensors plain = gradientsOf(*make(config, weights), 50, {});
    for (std::size_t i = 0; i < config.layers.size(); ++i) {
        const std::string mixer = "layers." + std::to_string(i) + ".mixer";
        weights[mixer + ".log_decay"] = -at::tensor(config.layers[i].slopes, at::kFloat);
        weights[mixer + ".scale"] = at::ones({32});
    }
    QVERIFY(agree(gradientsOf(*make(config, weights), 50, {}), plain, 1e-6));
}

void DecoderTrainingTest::wrongShapesAreRefused()
{
    const DecoderConfig config = configOf(MixerKind::Supra);
    NamedTensors weights = weightsOf(config, false);
    weights["layers.1.mixer.log_decay"] = at::zeros({3});
    const auto refused = Decoder::create(config, weights, "test", WeightCheck::ShapesOnly);
    QVERIFY(!refused && refused.error().where.find("layers.1.mixer.log_decay") != std::string::npos);
    const DecoderConfig softmax = configOf(MixerKind::Softmax);
    weights = weightsOf(softmax, false);
    weights["layers.0.mixer.scale"] = at::ones({32});
    QVERIFY(!Decoder::create(softmax, weights, "test"));
}

void DecoderTrainingTest::hiddenTimesOutputAreLogits()
{
    const DecoderConfig config = configOf(MixerKind::Supra);
    const auto decoder = make(config, weightsOf(config, true));
    const at::Tensor ids = at::randint(40, {2, 30}, at::kLong);
    ModelState first = decoder->initialState(2), second = decoder->initialState(2);
    const at::Tensor hidden = decoder->forward(ids, first, {LogitsWanted::Hidden, {}, nullptr});
    const at::Tensor logits = decoder->forward(ids, second, {});
    QCOMPARE(relativeError(at::linear(hidden, decoder->outputWeight()).detach(), logits.detach()), 0.0);
}

QTEST_APPLESS_MAIN(DecoderTrainingTest)
#include "tst_decodertraining.moc"
