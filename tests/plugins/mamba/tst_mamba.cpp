// The Mamba plugin, as the program uses it: found, opened and asked at run time. Golden values, forms against each
// other, splits, saved states, bfloat16, the meta device, and probes against plain sums.
#include "checkpoint/checkpoint.h"
#include "engine/engine.h"
#include "model/languagemodel.h"
#include "support/tensorcheck.h"
#include "support/tolerances.h"

#include <c10/core/GradMode.h>

using namespace lens;
using namespace lens::test;

namespace {

const QString kModels = SUPRALENS_TEST_DATA "/models/";

LoadedModelPtr load(const QString &folder, const std::string &device = "cpu", const std::string &type = "float32")
{
    const auto model = loadModel((kModels + folder).toStdString(), {device, type, {}, {SUPRALENS_BUILT_PLUGINS}});
    if (!model)
        qWarning("%s", toString(model.error()).c_str());
    return model.value_or(nullptr);
}

class Recorder : public ProbeSink {
public:
    bool wants(ProbeKind, std::int64_t) const override { return true; }
    void offer(ProbeKind kind, std::int64_t layer, const at::Tensor &value) override { values[{int(kind), layer}] = value; }
    bool has(ProbeKind kind, std::int64_t layer) const { return values.contains({int(kind), layer}); }
    at::Tensor at(ProbeKind kind, std::int64_t layer) const { return values.at({int(kind), layer}); }

    std::map<std::pair<int, std::int64_t>, at::Tensor> values;
};

at::Tensor run(const LanguageModel &model, const at::Tensor &ids, ModelState &state, Execution execution = {},
               ProbeSink *probe = nullptr)
{
    return model.forward(ids, state, {LogitsWanted::All, execution, probe});
}

at::Tensor randomIds(std::int64_t rows, std::int64_t tokens)
{
    return at::randint(0, 90, {rows, tokens}, at::kLong);
}

/// NaN, which retention has where there was no state yet, as -1.
at::Tensor comparable(const at::Tensor &values)
{
    return at::nan_to_num(values, -1.0);
}

/// The selective recurrence of the first layer of the fixture "mamba", in float64 and by its definition.
struct FirstLayer {
    at::Tensor x, dt, in, out, A;

    explicit FirstLayer(const at::Tensor &ids)
    {
        const auto checkpoint = openCheckpoint((kModels + "mamba").toStdString()).value();
        const auto weight = [&](const std::string &name) {
            return checkpoint->load("backbone." + name, DType::F32).value().to(at::kDouble);
        };
        const std::string mixer = "layers.0.mixer.";
        at::Tensor h = weight("embeddings.weight").index({ids});
        h = h / (h.square().mean(-1, true) + 1e-5).sqrt() * weight("layers.0.norm.weight");
        x = at::linear(h, weight(mixer + "in_proj.weight")).chunk(2, 2)[0].transpose(1, 2);
        x = at::conv1d(at::constant_pad_nd(x, {3, 0}), weight(mixer + "conv1d.weight"), weight(mixer + "conv1d.bias"),
                       at::IntArrayRef{1}, at::IntArrayRef{0}, at::IntArrayRef{1}, x.size(1));
        x = at::silu(x).transpose(1, 2);
        const auto parts = at::linear(x, weight(mixer + "x_proj.weight")).split_with_sizes({3, 8, 8}, 2);
        dt = at::softplus(at::linear(parts[0], weight(mixer + "dt_proj.weight"), weight(mixer + "dt_proj.bias")));
        in = parts[1];
        out = parts[2];
        A = -weight(mixer + "A_log").exp();
    }
};

} // namespace

class tst_mamba : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { m_noGrad = std::make_unique<c10::NoGradGuard>(); }
    void cleanupTestCase() { m_noGrad.reset(); }
    void facts();
    void goldens_data() { addModels(); }
    void goldens();
    void greedy_data() { addModels(); }
    void greedy();
    void formsAgree_data() { addModels(); }
    void formsAgree();
    void splitsAtAnyPoint_data() { addModels(); }
    void splitsAtAnyPoint();
    void longSequences();
    void statesAreSavedAndRestored();
    void sessionsGenerate();
    void measurementsAreThoseOfTheStates();
    void implicitAttentionIsThePlainSum();
    void metaDevice_data() { addModels(); }
    void metaDevice();
    void halfPrecisionStaysClose_data();
    void halfPrecisionStaysClose();

private:
    static void addModels()
    {
        QTest::addColumn<QString>("folder");
        QTest::newRow("Hugging Face") << "mamba";
        QTest::newRow("native") << "mamba_native";
    }

    std::unique_ptr<c10::NoGradGuard> m_noGrad;
};

void tst_mamba::facts()
{
    const LoadedModelPtr model = load("mamba_native");
    QVERIFY(model);
    const ModelInfo &info = model->info();
    QCOMPARE(info.architecture, std::string("mamba"));
    QCOMPARE(info.vocabulary, std::int64_t(112));
    QCOMPARE(info.heads, std::int64_t(2));
    QCOMPARE(info.keyDim, std::int64_t(16));
    QCOMPARE(info.valueDim, std::int64_t(48));
    QCOMPARE(info.headMeaning, std::string("48 channels"));
    QCOMPARE(info.stateBytes, std::uint64_t(2 * 96 * (16 + 4) * 4));
    QCOMPARE(model->model()->initialState(1).bytes(), info.stateBytes);
    QVERIFY(info.isRecurrent() && hasRetention(info));
    QCOMPARE(info.layers.size(), std::size_t(2));
    QCOMPARE(info.layers[0].mixer, std::string("mamba"));
    QVERIFY(info.undefined.size() == 2 && !info.undefined[0].reason.empty());
}

void tst_mamba::goldens()
{
    QFETCH(QString, folder);
    const Golden golden(kModels + folder + "/golden.safetensors");
    const LoadedModelPtr loaded = load(folder);
    QVERIFY(golden.isOpen() && loaded);
    const LanguageModel &model = *loaded->model();
    ModelState state = model.initialState(2);
    Recorder recorder;
    const at::Tensor logits = run(model, golden("input_ids"), state, {}, &recorder);
    QVERIFY(errorOfRange(logits, golden("logits")) < kLogitsOfRange);
    const NamedTensors states = state.tensors();
    for (std::int64_t i = 0; i < 2; ++i) {
        const std::string layer = "layers." + std::to_string(i) + ".";
        QVERIFY(relativeError(states.at(layer + "ssm_state"), golden(layer + "ssm_state")) < kStateRelative);
        QVERIFY(relativeError(states.at(layer + "conv_state"), golden(layer + "conv_state")) < kStateRelative);
        QVERIFY(relativeError(recorder.at(ProbeKind::MixerOut, i), golden(layer + "y")) < kStateRelative);
        if (golden.contains(layer + "out"))
            QVERIFY(relativeError(recorder.at(ProbeKind::Hidden, i), golden(layer + "out")) < kStateRelative);
    }
}

void tst_mamba::greedy()
{
    QFETCH(QString, folder);
    const Golden golden(kModels + folder + "/golden.safetensors");
    const LoadedModelPtr loaded = load(folder);
    QVERIFY(golden.isOpen() && loaded);
    ModelState state = loaded->model()->initialState(1);
    at::Tensor next = golden("input_ids").narrow(0, 0, 1).narrow(1, 0, 8);
    std::vector<std::int64_t> generated;
    for (int i = 0; i < 24; ++i) {
        next = loaded->model()->forward(next, state, {LogitsWanted::Last, {}, nullptr}).argmax(-1);
        generated.push_back(next.item<std::int64_t>());
    }
    QVERIFY(at::equal(at::tensor(generated, at::kLong), golden("greedy").flatten()));
}

void tst_mamba::formsAgree()
{
    QFETCH(QString, folder);
    const LoadedModelPtr loaded = load(folder);
    QVERIFY(loaded);
    const LanguageModel &model = *loaded->model();
    at::manual_seed(1);
    for (const std::int64_t tokens : {1, 2, 37, 130}) {
        const at::Tensor ids = randomIds(3, tokens);
        ModelState stepwise = model.initialState(3);
        Recorder expectedProbes;
        const at::Tensor expected = run(model, ids, stepwise, {Execution::Form::Recurrent, 64}, &expectedProbes);
        for (const Execution how : {Execution{Execution::Form::Parallel, 64}, Execution{Execution::Form::Chunked, 64},
                                    Execution{Execution::Form::Chunked, 7}, Execution{Execution::Form::Chunked, 1}}) {
            ModelState state = model.initialState(3);
            Recorder probes;
            QVERIFY(errorOfRange(run(model, ids, state, how, &probes), expected) < kFormsRelative);
            for (const auto &[name, tensor] : stepwise.tensors())
                QVERIFY2(relativeError(state.tensors().at(name), tensor) < kFormsRelative, name.c_str());
            for (const auto &[key, value] : expectedProbes.values)
                QVERIFY(relativeError(comparable(probes.values.at(key)), comparable(value)) < kFormsRelative);
        }
    }
}

void tst_mamba::splitsAtAnyPoint()
{
    QFETCH(QString, folder);
    const LoadedModelPtr loaded = load(folder);
    QVERIFY(loaded);
    const LanguageModel &model = *loaded->model();
    at::manual_seed(2);
    for (int round = 0; round < 12; ++round) {
        const std::int64_t rows = 1 + round % 4, tokens = 90;
        const std::int64_t split = at::randint(1, tokens, {1}, at::kLong).item<std::int64_t>();
        const at::Tensor ids = randomIds(rows, tokens);
        ModelState whole = model.initialState(rows), state = model.initialState(rows);
        const at::Tensor expected = run(model, ids, whole);
        const at::Tensor first = run(model, ids.narrow(1, 0, split), state);
        ModelState branch = state.clone();
        run(model, randomIds(rows, 5), state);  // must not touch the branch
        const at::Tensor rest = run(model, ids.narrow(1, split, tokens - split), branch);
        QVERIFY(errorOfRange(at::cat({first, rest}, 1), expected) < kFormsRelative);
        for (const auto &[name, tensor] : whole.tensors())
            QVERIFY(relativeError(branch.tensors().at(name), tensor) < kFormsRelative);
    }
}

void tst_mamba::longSequences()
{
    const LoadedModelPtr loaded = load("mamba");
    QVERIFY(loaded);
    at::manual_seed(3);
    const at::Tensor ids = randomIds(1, 3000);
    ModelState chunked = loaded->model()->initialState(1), stepwise = loaded->model()->initialState(1);
    const at::Tensor expected = run(*loaded->model(), ids, stepwise, {Execution::Form::Recurrent, 64});
    QVERIFY(errorOfRange(run(*loaded->model(), ids, chunked, {Execution::Form::Parallel, 64}), expected) < kFormsRelative);
}

void tst_mamba::statesAreSavedAndRestored()
{
    const LoadedModelPtr loaded = load("mamba");
    QVERIFY(loaded);
    const LanguageModel &model = *loaded->model();
    ModelState state = model.initialState(2), restored = model.initialState(2);
    run(model, randomIds(2, 21), state);
    QVERIFY(!state.truncate(3));
    QVERIFY(restored.assign(state.tensors()).has_value());
    QCOMPARE(restored.position(), std::int64_t(21));
    const at::Tensor next = randomIds(2, 9);
    QVERIFY(at::equal(run(model, next, restored), run(model, next, state)));
    ModelState other = model.initialState(1);
    QCOMPARE(other.assign(state.tensors()).error().code, ErrorCode::Mismatch);
}

void tst_mamba::sessionsGenerate()
{
    const LoadedModelPtr loaded = load("mamba");
    QVERIFY(loaded);
    const Golden golden(kModels + "mamba/golden.safetensors");
    auto session = DecodeSession::create(loaded);
    QVERIFY(session.has_value());
    std::vector<TokenId> prompt;
    for (std::int64_t i = 0; i < 8; ++i)
        prompt.push_back(static_cast<TokenId>(golden("input_ids")[0][i].item<std::int64_t>()));
    GenerationOptions options;
    options.maxTokens = 6;
    options.sampling.temperature = 0;
    std::int64_t retained = 0;
    GenerationCallbacks callbacks;
    callbacks.retention = [&](const HeadFrame &frame) { retained += frame.tokens; };
    const auto result = (*session)->generate(prompt, options, callbacks, {});
    QVERIFY(result.has_value());
    for (std::size_t i = 0; i < result->ids.size(); ++i)
        QCOMPARE(std::int64_t(result->ids[i]), golden("greedy").flatten()[std::int64_t(i)].item<std::int64_t>());
    QVERIFY(retained >= 8);
}

void tst_mamba::measurementsAreThoseOfTheStates()
{
    const LoadedModelPtr loaded = load("mamba");
    QVERIFY(loaded);
    at::manual_seed(4);
    const at::Tensor ids = randomIds(2, 33);
    const FirstLayer layer(ids);
    at::Tensor S = at::zeros({2, 96, 8}, at::kDouble);
    std::vector<at::Tensor> norms, kept;
    const auto norm = [](const at::Tensor &state) { return state.reshape({2, 2, -1}).square().sum(-1).sqrt(); };
    for (std::int64_t t = 0; t < ids.size(1); ++t) {
        const at::Tensor dt = layer.dt.select(1, t).unsqueeze(2);
        const at::Tensor decayed = S * (dt * layer.A).exp();
        kept.push_back(norm(decayed) / norm(S));
        S = decayed + dt * layer.in.select(1, t).unsqueeze(1) * layer.x.select(1, t).unsqueeze(2);
        norms.push_back(norm(S));
    }
    ModelState state = loaded->model()->initialState(2);
    Recorder recorder;
    run(*loaded->model(), ids, state, {Execution::Form::Chunked, 10}, &recorder);
    QVERIFY(relativeError(recorder.at(ProbeKind::StateNorm, 0), at::stack(norms, 2)) < kStateRelative);
    const at::Tensor retention = recorder.at(ProbeKind::Retention, 0);
    QVERIFY(at::isnan(retention.select(2, 0)).all().item<bool>());
    QVERIFY(relativeError(comparable(retention), comparable(at::stack(kept, 2))) < kStateRelative);
}

void tst_mamba::implicitAttentionIsThePlainSum()
{
    const LoadedModelPtr loaded = load("mamba");
    QVERIFY(loaded);
    at::manual_seed(5);
    const at::Tensor ids = randomIds(2, 45);
    const FirstLayer layer(ids);
    at::Tensor expected = at::zeros({2, 2, 45, 45}, at::kDouble);
    const at::Tensor elapsed = layer.dt.cumsum(1);
    for (std::int64_t i = 0; i < 45; ++i)
        for (std::int64_t j = 0; j <= i; ++j) {
            const at::Tensor decay = ((elapsed.select(1, i) - elapsed.select(1, j)).unsqueeze(2) * layer.A).exp();
            const at::Tensor weights = decay * (layer.out.select(1, i) * layer.in.select(1, j)).unsqueeze(1);
            const at::Tensor channels = weights.sum(2) * layer.dt.select(1, j);
            expected.select(3, j).select(2, i).copy_(channels.reshape({2, 2, 48}).mean(2));
        }
    ModelState state = loaded->model()->initialState(2);
    Recorder recorder;
    run(*loaded->model(), ids, state, {}, &recorder);
    QVERIFY(relativeError(recorder.at(ProbeKind::Attention, 0), expected) < kStateRelative);
    Recorder later;
    run(*loaded->model(), ids, state, {}, &later);
    QVERIFY(!later.has(ProbeKind::Attention, 0));
}

void tst_mamba::metaDevice()
{
    QFETCH(QString, folder);
    const LoadedModelPtr loaded = load(folder, "meta");
    QVERIFY(loaded);
    const LanguageModel &model = *loaded->model();
    const auto options = at::TensorOptions().dtype(at::kLong).device(at::kMeta);
    for (const Execution::Form form : {Execution::Form::Parallel, Execution::Form::Chunked, Execution::Form::Recurrent}) {
        ModelState state = model.initialState(2);
        Recorder recorder;
        const at::Tensor logits = run(model, at::empty({2, 80}, options), state, {form, 64}, &recorder);
        QCOMPARE(logits.sizes(), at::IntArrayRef({2, 80, loaded->info().vocabulary}));
        QVERIFY(logits.is_meta());
        for (const auto &[key, value] : recorder.values)
            QVERIFY(value.is_meta());
        QCOMPARE(recorder.at(ProbeKind::Attention, 1).sizes(), at::IntArrayRef({2, loaded->info().heads, 80, 80}));
        QCOMPARE(run(model, at::empty({2, 1}, options), state, {form, 64}, &recorder).size(1), std::int64_t(1));
        QCOMPARE(state.position(), std::int64_t(81));
    }
}

void tst_mamba::halfPrecisionStaysClose_data()
{
    QTest::addColumn<QString>("folder");
    QTest::addColumn<QString>("type");
    for (const char *folder : {"mamba", "mamba_native"})
        for (const char *type : {"bfloat16", "float16"})
            QTest::addRow("%s %s", folder, type) << folder << type;
}

void tst_mamba::halfPrecisionStaysClose()
{
    QFETCH(QString, folder);
    QFETCH(QString, type);
    const LoadedModelPtr exact = load(folder), rounded = load(folder, "cpu", type.toStdString());
    QVERIFY(exact && rounded);
    QCOMPARE(rounded->info().dtype, type.toStdString());
    const at::Tensor ids = Golden(kModels + folder + "/golden.safetensors")("input_ids");
    ModelState a = exact->model()->initialState(2), b = rounded->model()->initialState(2);
    const at::Tensor reference = run(*exact->model(), ids, a), logits = run(*rounded->model(), ids, b);
    QCOMPARE(logits.scalar_type(), at::kFloat);
    QVERIFY(((logits - reference).abs().mean() / reference.std()).item<double>() < kBFloat16MeanRelative);
    for (const auto &[name, tensor] : b.tensors())
        if (name != "position")
            QCOMPARE(tensor.scalar_type(), at::kFloat);
}

QTEST_APPLESS_MAIN(tst_mamba)
#include "tst_mamba.moc"
