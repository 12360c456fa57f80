// One token after the other through DecodeStep, against the same tokens through the plain decoder.
#include "mixer/decay.h"
#include "mixer/recurrentstate.h"
#include "model/decodestep.h"
#include "support/tensorcheck.h"

#include <c10/core/GradMode.h>

using namespace lens;
using namespace lens::test;

namespace {

DecoderConfig plainConfig(MixerKind kind = MixerKind::Softmax)
{
    DecoderConfig config;
    config.architecture = "llama";
    config.vocabulary = 301;
    config.hiddenSize = 96;
    config.trainedContext = 4096;
    config.norm = {NormConfig::Kind::Rms, 1e-5, true, false};
    config.feedForward.width = 200;
    MixerConfig mixer;
    mixer.kind = kind;
    mixer.heads = 6;
    mixer.kvHeads = 2;
    mixer.inputDim = mixer.keyDim = mixer.valueDim = 24;
    mixer.rope.dimensions = 24;
    if (mixer.isLinear()) {
        mixer.features = FeatureMapForm::PerHeadRelu;
        mixer.sharedFeatures = false;
        mixer.slopes = decaySlopes(DecayKind::Lightning, 6);
        mixer.epsilon = 1e-3;
    }
    config.layers.assign(3, mixer);
    return config;
}

DecoderConfig withMixer(MixerKind kind, const std::function<void(MixerConfig &)> &change)
{
    DecoderConfig config = plainConfig(kind);
    for (MixerConfig &mixer : config.layers)
        change(mixer);
    return config;
}

std::shared_ptr<const Decoder> decoderOf(const DecoderConfig &config, at::ScalarType type, bool biased)
{
    at::manual_seed(5);
    NamedTensors weights;
    for (const auto &[name, shape] : requiredTensors(config))
        weights[name] = (name.find("norm") != std::string::npos ? at::rand(shape) + 0.5 : at::randn(shape) * 0.2).to(type);
    if (biased)
        for (std::size_t i = 0; i < config.layers.size(); ++i)
            for (const char *part : {".mixer.q", ".mixer.k", ".mixer.v", ".mixer.out", ".ffn.up", ".ffn.down"}) {
                const std::string name = "layers." + std::to_string(i) + part;
                weights[name + ".bias"] = at::randn({weights.at(name + ".weight").size(0)}).to(type);
            }
    return Decoder::create(config, weights, "test").value();
}

std::unique_ptr<DecodeStep> stepOf(const std::shared_ptr<const Decoder> &decoder, int threads = 2)
{
    return DecodeStep::create(decoder, threads);
}

at::Tensor plainStep(const Decoder &decoder, std::int64_t token, ModelState &state, ProbeSink *probe = nullptr)
{
    ForwardOptions options;
    options.probe = probe;
    return decoder.forward(at::full({1, 1}, token, at::kLong), state, options).flatten();
}

at::Tensor tensorOf(std::span<const float> numbers)
{
    return at::tensor(at::ArrayRef<float>(numbers.data(), numbers.size()));
}

class StateNorms final : public ProbeSink {
public:
    bool wants(ProbeKind kind, std::int64_t) const override { return kind == ProbeKind::StateNorm; }
    void offer(ProbeKind, std::int64_t layer, const at::Tensor &value) override { norms[layer].push_back(value.clone()); }
    std::map<std::int64_t, std::vector<at::Tensor>> norms;
};

} // namespace

Q_DECLARE_METATYPE(DecoderConfig)

class DecodeStepTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void agreesWithThePlainPath_data()
    {
        QTest::addColumn<DecoderConfig>("config");
        QTest::addColumn<bool>("biased");
        QTest::newRow("softmax, grouped heads") << plainConfig() << false;
        QTest::newRow("softmax, biases") << plainConfig() << true;
        QTest::newRow("softmax, interleaved, window")
            << withMixer(MixerKind::Softmax, [](MixerConfig &m) { m.rope.layout = RopeConfig::Layout::Interleaved; m.slidingWindow = 5; }) << false;
        QTest::newRow("softmax, partial rotation") << withMixer(MixerKind::Softmax, [](MixerConfig &m) { m.rope.dimensions = 10; }) << false;
        QTest::newRow("softmax, YaRN") << withMixer(MixerKind::Softmax, [](MixerConfig &m) {
            m.rope.scaling = RopeConfig::Scaling::Yarn;
            m.rope.factor = 4;
            m.rope.originalContext = 32;
        }) << false;
        QTest::newRow("softmax, no positions") << withMixer(MixerKind::Softmax, [](MixerConfig &m) { m.rope.layout = RopeConfig::Layout::None; }) << false;
        QTest::newRow("softmax, norms of queries and keys") << withMixer(MixerKind::Softmax, [](MixerConfig &m) { m.queryKeyNorm = true; }) << false;
        QTest::newRow("SUPRA, map per head") << plainConfig(MixerKind::Supra) << false;
        QTest::newRow("SUPRA, one map, biases") << withMixer(MixerKind::Supra, [](MixerConfig &m) {
            m.features = FeatureMapForm::SharedRelu;
            m.kvHeads = m.heads;
            m.sharedFeatures = true;
        }) << true;
        QTest::newRow("SUPRA, norms of queries and keys") << withMixer(MixerKind::Supra, [](MixerConfig &m) {
            m.queryKeyNorm = true;
            m.queryKeyNormConfig.kind = NormConfig::Kind::Layer;
        }) << false;
        QTest::newRow("SUPRA, wide features") << withMixer(MixerKind::Supra, [](MixerConfig &m) {
            m.keyDim = 40;
            m.rope.dimensions = 40;
        }) << false;
        QTest::newRow("T2R") << plainConfig(MixerKind::T2r) << false;
        QTest::newRow("T2R, one map") << withMixer(MixerKind::T2r, [](MixerConfig &m) { m.features = FeatureMapForm::SharedRelu; }) << false;
        QTest::newRow("linear, elu") << withMixer(MixerKind::Linear, [](MixerConfig &m) {
            m.features = FeatureMapForm::Elu1;
            m.sharedFeatures = true;
        }) << false;
        QTest::newRow("linear, Hedgehog, floor") << withMixer(MixerKind::Linear, [](MixerConfig &m) {
            m.features = FeatureMapForm::Hedgehog;
            m.featureFloor = 0.01;
        }) << false;
        DecoderConfig hybrid = plainConfig(MixerKind::Supra);
        hybrid.layers[1] = plainConfig().layers[0];
        hybrid.layers[1].rope.base = 500;
        QTest::newRow("hybrid, two rotations") << hybrid << false;
        DecoderConfig openLm = plainConfig(MixerKind::Supra);
        openLm.norm = {NormConfig::Kind::Layer, 1e-5, true, true};
        openLm.embeddingNorm = true;
        openLm.tiedEmbeddings = true;
        openLm.feedForward.kind = FeedForwardConfig::Kind::Gelu;
        QTest::newRow("layer norms, tied embeddings, GELU") << openLm << true;
        DecoderConfig geGlu = plainConfig();
        geGlu.feedForward.kind = FeedForwardConfig::Kind::GeGlu;
        QTest::newRow("GeGLU") << geGlu << false;
    }

    void agreesWithThePlainPath()
    {
        QFETCH(DecoderConfig, config);
        QFETCH(bool, biased);
        const c10::NoGradGuard noGrad;
        const auto decoder = decoderOf(config, at::kFloat, biased);
        const auto step = stepOf(decoder);
        QVERIFY(step);
        // Begins behind a prompt, and once more from its end: a cache that was shortened, or a state that was copied.
        ModelState plain = decoder->initialState(1);
        ForwardOptions prompt;
        prompt.logits = LogitsWanted::None;
        decoder->forward(at::arange(7).unsqueeze(0), plain, prompt);
        const ModelState kept = plain.clone();
        for (int turn = 0; turn < 2; ++turn) {
            ModelState fast = kept.clone(), slow = kept.clone();
            for (std::int64_t i = 0; i < 70; ++i) {
                const std::int64_t token = (i * 37 + turn) % config.vocabulary;
                const at::Tensor expected = plainStep(*decoder, token, slow);
                const at::Tensor own = tensorOf(step->run(token, fast, nullptr, true));
                QVERIFY2(lens::test::relativeError(own, expected) < 1e-4, qPrintable(QString("token %1").arg(i)));
            }
            QCOMPARE(fast.position(), slow.position());
            const NamedTensors own = fast.tensors(), expected = slow.tensors();
            QCOMPARE(own.size(), expected.size());
            for (const auto &[name, tensor] : expected)
                QVERIFY2(lens::test::relativeError(own.at(name), tensor) < 1e-4, name.c_str());
        }
    }

    /// Activations are float32 where the plain path rounds them: the two differ by such roundings, and the float32 model
    /// is nearer to this one.
    void bfloat16Weights_data()
    {
        QTest::addColumn<int>("kind");
        QTest::newRow("softmax") << int(MixerKind::Softmax);
        QTest::newRow("SUPRA") << int(MixerKind::Supra);
    }

    void bfloat16Weights()
    {
        QFETCH(int, kind);
        const c10::NoGradGuard noGrad;
        const DecoderConfig config = plainConfig(static_cast<MixerKind>(kind));
        const auto narrow = decoderOf(config, at::kBFloat16, false);
        NamedTensors widened = narrow->weights();
        for (auto &[name, weight] : widened)
            weight = weight.to(at::kFloat);
        const auto wide = Decoder::create(config, widened, "test").value();
        const auto step = stepOf(narrow);
        QVERIFY(step);
        ModelState own = narrow->initialState(1), plain = narrow->initialState(1), exact = wide->initialState(1);
        double ownError = 0, plainError = 0;
        for (std::int64_t token = 0; token < 30; ++token) {
            const at::Tensor expected = plainStep(*wide, token, exact);
            ownError = std::max(ownError, lens::test::relativeError(tensorOf(step->run(token, own, nullptr, true)), expected));
            plainError = std::max(plainError, lens::test::relativeError(plainStep(*narrow, token, plain), expected));
        }
        QVERIFY2(ownError < 0.05 && ownError < plainError, qPrintable(QString("%1, plain %2").arg(ownError).arg(plainError)));
    }

    void offersStateNorms()
    {
        const c10::NoGradGuard noGrad;
        DecoderConfig config = plainConfig(MixerKind::T2r);  // whose state has a column that does not count
        config.layers[1] = plainConfig().layers[0];
        const auto decoder = decoderOf(config, at::kFloat, false);
        const auto step = stepOf(decoder);
        ModelState fast = decoder->initialState(1), slow = decoder->initialState(1);
        StateNorms own, expected;
        for (std::int64_t token = 0; token < 5; ++token) {
            step->run(token, fast, &own, false);
            plainStep(*decoder, token, slow, &expected);
        }
        QCOMPARE(own.norms.size(), std::size_t(2));
        for (const auto &[layer, norms] : expected.norms)
            for (std::size_t i = 0; i < norms.size(); ++i) {
                QCOMPARE(own.norms[layer][i].sizes(), norms[i].sizes());
                QVERIFY(lens::test::relativeError(own.norms[layer][i], norms[i]) < 1e-5);
            }
    }

    void knowsWhatItCannotOffer()
    {
        const auto step = stepOf(decoderOf(plainConfig(), at::kFloat, false));
        struct Wants final : ProbeSink {
            explicit Wants(ProbeKind kind) : m_kind(kind) {}
            bool wants(ProbeKind kind, std::int64_t layer) const override { return kind == m_kind && layer == 2; }
            void offer(ProbeKind, std::int64_t, const at::Tensor &) override {}
            ProbeKind m_kind;
        };
        const Wants hidden(ProbeKind::Hidden), norms(ProbeKind::StateNorm), attention(ProbeKind::Attention);
        QVERIFY(step->satisfies(nullptr, 0));
        QVERIFY(!step->satisfies(&hidden, 3));
        QVERIFY(step->satisfies(&norms, 3));
        QVERIFY(step->satisfies(&attention, 3));
        QVERIFY(!step->satisfies(&attention, 0));
    }

    void leavesCopiesOfTheStateAlone()
    {
        const c10::NoGradGuard noGrad;
        const auto decoder = decoderOf(plainConfig(MixerKind::Supra), at::kFloat, false);
        const auto step = stepOf(decoder);
        ModelState state = decoder->initialState(1);
        step->run(1, state, nullptr, false);
        const NamedTensors seen = state.tensors();  // views of the state's own memory
        NamedTensors copies;
        for (const auto &[name, tensor] : seen)
            copies[name] = tensor.clone();
        step->run(2, state, nullptr, false);
        for (const auto &[name, tensor] : copies)
            QVERIFY2(at::equal(seen.at(name), tensor), name.c_str());
    }

    void refusesWhatItHasNoKernelsFor()
    {
        QVERIFY(!stepOf(decoderOf(plainConfig(), at::kHalf, false)));
        QVERIFY(!stepOf(decoderOf(plainConfig(), at::kDouble, false)));
        DecoderConfig config = plainConfig(MixerKind::Supra);
        NamedTensors weights = decoderOf(config, at::kFloat, false)->weights();
        weights["layers.0.mixer.log_decay"] = at::zeros({6});
        QVERIFY(!stepOf(Decoder::create(config, weights, "test").value()));
    }

    void refusesUnknownTokens()
    {
        const auto decoder = decoderOf(plainConfig(), at::kFloat, false);
        ModelState state = decoder->initialState(1);
        QVERIFY_EXCEPTION_THROWN(stepOf(decoder)->run(301, state, nullptr, true), c10::Error);
        QVERIFY_EXCEPTION_THROWN(stepOf(decoder)->run(-1, state, nullptr, true), c10::Error);
        QCOMPARE(state.position(), 0);
    }
};

QTEST_GUILESS_MAIN(DecodeStepTest)
#include "tst_decodestep.moc"
