// RWKV-4 and RWKV-5 through the plugin: golden values, its forms against each other, states, probes, types.
#include "core/engine/fixtures.h"
#include "engine/dump.h"
#include "rwkvmodels.h"
#include "support/tensorcheck.h"
#include "support/tolerances.h"
#include "tensor/device.h"

#include <QTemporaryDir>
#include <c10/core/GradMode.h>
#include <random>

using namespace lens;
using namespace lens::test;

namespace {

const std::vector<Execution> forms = {{Execution::Form::Parallel, 64}, {Execution::Form::Chunked, 64},
                                      {Execution::Form::Chunked, 7},   {Execution::Form::Chunked, 1},
                                      {Execution::Form::Recurrent, 64}};

class Kept final : public ProbeSink {
public:
    bool wants(ProbeKind, std::int64_t) const override { return true; }
    void offer(ProbeKind kind, std::int64_t layer, const at::Tensor &value) override
    {
        values[{kind, layer}] = value.is_meta() ? value : value.to(at::kFloat).clone();
    }
    at::Tensor operator()(ProbeKind kind, std::int64_t layer) const { return values.at({kind, layer}); }

    std::map<std::pair<ProbeKind, std::int64_t>, at::Tensor> values;
};

at::Tensor run(const LoadedModelPtr &model, const at::Tensor &ids, ModelState &state, const Execution &execution = {},
               ProbeSink *probe = nullptr)
{
    const c10::NoGradGuard noGrad;
    ForwardOptions options;
    options.execution = execution;
    options.probe = probe;
    return model->model()->forward(ids, state, options);
}

at::Tensor run(const LoadedModelPtr &model, const at::Tensor &ids, const Execution &execution = {}, ProbeSink *probe = nullptr)
{
    ModelState state = model->model()->initialState(ids.size(0));
    return run(model, ids, state, execution, probe);
}

/// Sums of RWKV-4 as true numbers, so that two scalings of the same sums compare equal.
NamedTensors comparable(const ModelState &state)
{
    NamedTensors tensors = state.tensors();
    for (auto &[name, tensor] : tensors)
        if (name.ends_with(".aa") || name.ends_with(".bb"))
            tensor = tensor * tensors.at(name.substr(0, name.size() - 2) + "pp").exp();
    std::erase_if(tensors, [](const auto &entry) { return entry.first.ends_with(".pp") || entry.first == "position"; });
    return tensors;
}

double stateError(const ModelState &a, const ModelState &b)
{
    double worst = 0;
    const NamedTensors expected = comparable(b);
    for (const auto &[name, tensor] : comparable(a))
        worst = std::max(worst, relativeError(tensor, expected.at(name)));
    return worst;
}

at::Tensor randomIds(std::int64_t batch, std::int64_t tokens)
{
    return at::randint(0, 96, {batch, tokens}, at::kLong);
}

} // namespace

class TestRwkv : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void goldenValues_data() { addFixtures(); }
    void goldenValues();
    void greedyTextIsIdentical_data() { addFixtures(); }
    void greedyTextIsIdentical();
    void formsAgree_data() { addFixtures(); }
    void formsAgree();
    void splitAndResume_data() { addFixtures(); }
    void splitAndResume();
    void statesAreClonedSavedAndRestored_data() { addFixtures(); }
    void statesAreClonedSavedAndRestored();
    void probesAreThoseOfTheState_data() { addFixtures(); }
    void probesAreThoseOfTheState();
    void impliedAttentionIsItsDefinition();
    void impliedAttentionOfRwkv4IsAMean();
    void strongestAndWeakestDecays_data() { addFixtures(); }
    void strongestAndWeakestDecays();
    void bfloat16IsClose_data() { addFixtures(); }
    void bfloat16IsClose();
    void metaDevice_data() { addFixtures(); }
    void metaDevice();
    void factsAreStated();
    void huggingFaceSpellingOfRwkv5();
    void oneDecayPerHead();
    void tiedAndWideAttention();

private:
    void addFixtures();

    QTemporaryDir m_folder;
};

void TestRwkv::initTestCase()
{
    qputenv("XDG_CACHE_HOME", m_folder.filePath("cache").toUtf8());
    setThreadCount(1);
    at::manual_seed(5);
}

void TestRwkv::addFixtures()
{
    QTest::addColumn<QString>("path");
    QTest::addRow("rwkv5 .pth") << QString::fromStdString(fixturePath("rwkv5/model.pth"));
    QTest::addRow("rwkv4 folder") << QString::fromStdString(fixturePath("rwkv4"));
}

void TestRwkv::goldenValues()
{
    QFETCH(QString, path);
    const LoadedModelPtr model = loadRwkv(path.toStdString());
    const bool isPth = path.endsWith(".pth");
    const Golden golden((isPth ? path.chopped(10) : path) + "/golden.safetensors");
    QVERIFY(golden.isOpen());
    for (const Execution &form : forms) {
        Kept probe;
        ModelState state = model->model()->initialState(2);
        const at::Tensor logits = run(model, golden("input_ids"), state, form, &probe);
        QVERIFY(errorOfRange(logits, golden("logits")) < kLogitsOfRange);
        for (std::int64_t layer = 0; layer < model->info().layerCount; ++layer) {
            const std::string name = "layers." + std::to_string(layer) + ".";
            QVERIFY(relativeError(probe(ProbeKind::Hidden, layer), golden(name + "out")) < kStateRelative);
            QVERIFY(relativeError(probe(ProbeKind::MixerOut, layer), golden(name + "y")) < kStateRelative);
            const NamedTensors own = state.layer(static_cast<std::size_t>(layer)).tensors();
            for (const char *shift : {"att_x", "ffn_x"})
                QVERIFY(relativeError(own.at(shift), golden(name + shift)) < kStateRelative);
            if (isPth) {
                QVERIFY(relativeError(own.at("state"), golden(name + "state")) < kStateRelative);
                continue;
            }
            for (const char *sums : {"aa", "bb"})
                QVERIFY(relativeError(own.at(sums) * own.at("pp").exp(), golden(name + sums) * golden(name + "pp").exp())
                        < kStateRelative);
        }
    }
}

void TestRwkv::greedyTextIsIdentical()
{
    QFETCH(QString, path);
    const Golden golden((path.endsWith(".pth") ? path.chopped(10) : path) + "/golden.safetensors");
    std::vector<TokenId> prompt = fixtures::ids(golden("input_ids")[0]);
    prompt.resize(8);
    GenerationOptions options;
    options.maxTokens = 24;
    options.ignoreEndOfText = true;
    const auto session = DecodeSession::create(loadRwkv(path.toStdString()));
    const auto result = (*session)->generate(prompt, options, {}, {});
    QVERIFY(result);
    QCOMPARE(result->ids, fixtures::ids(golden("greedy")));
}

void TestRwkv::formsAgree()
{
    QFETCH(QString, path);
    const LoadedModelPtr model = loadRwkv(path.toStdString());
    for (const std::int64_t tokens : {1, 2, 3, 33, 64, 150}) {
        const at::Tensor ids = randomIds(2, tokens);
        ModelState expectedState = model->model()->initialState(2);
        const at::Tensor expected = run(model, ids, expectedState, {Execution::Form::Recurrent, 64});
        for (const Execution &form : forms) {
            ModelState state = model->model()->initialState(2);
            QVERIFY(relativeError(run(model, ids, state, form), expected) < kFormsRelative);
            QVERIFY(stateError(state, expectedState) < kFormsRelative);
        }
    }
}

void TestRwkv::splitAndResume()
{
    QFETCH(QString, path);
    const LoadedModelPtr model = loadRwkv(path.toStdString());
    std::mt19937 engine(11);
    for (int round = 0; round < 12; ++round) {
        const std::int64_t batch = 1 + engine() % 3, tokens = 2 + engine() % 120;
        const at::Tensor ids = randomIds(batch, tokens);
        ModelState whole = model->model()->initialState(batch), pieces = model->model()->initialState(batch);
        const at::Tensor expected = run(model, ids, whole);
        std::vector<at::Tensor> parts;
        for (std::int64_t start = 0; start < tokens;) {
            const std::int64_t count = std::min<std::int64_t>(1 + engine() % 50, tokens - start);
            parts.push_back(run(model, ids.narrow(1, start, count), pieces, forms[engine() % forms.size()]));
            start += count;
        }
        QVERIFY(relativeError(at::cat(parts, 1), expected) < kFormsRelative);
        QVERIFY(stateError(pieces, whole) < kFormsRelative);
        QCOMPARE(pieces.position(), tokens);
    }
}

void TestRwkv::statesAreClonedSavedAndRestored()
{
    QFETCH(QString, path);
    const LoadedModelPtr model = loadRwkv(path.toStdString());
    ModelState state = model->model()->initialState(2);
    run(model, randomIds(2, 20), state);
    const ModelState copy = state.clone();
    ModelState restored = model->model()->initialState(2);
    QVERIFY(restored.assign(state.tensors()));
    const at::Tensor more = randomIds(2, 9);
    const at::Tensor expected = run(model, more, state);
    ModelState cloned = copy.clone();
    QVERIFY(at::equal(run(model, more, cloned), expected));
    QVERIFY(at::equal(run(model, more, restored), expected));
    QCOMPARE(restored.position(), 29);
    QVERIFY(!state.truncate(3));
    ModelState other = model->model()->initialState(3);
    QVERIFY(!other.assign(state.tensors()));
    ModelState single = model->model()->initialState(1);
    QCOMPARE(single.bytes(), model->info().stateBytes);
}

void TestRwkv::probesAreThoseOfTheState()
{
    QFETCH(QString, path);
    const LoadedModelPtr model = loadRwkv(path.toStdString());
    const ModelInfo &info = model->info();
    const at::Tensor ids = randomIds(2, 21);
    Kept probe;
    run(model, ids, {}, &probe);
    ModelState state = model->model()->initialState(2);
    NamedTensors before;
    for (std::int64_t t = 0; t < 21; ++t) {
        run(model, ids.narrow(1, t, 1), state);
        const NamedTensors now = comparable(state);
        for (std::int64_t layer = 0; layer < info.layerCount; ++layer) {
            const std::string name = "layers." + std::to_string(layer) + (info.mixer == "rwkv4" ? ".aa" : ".state");
            const auto grouped = [&](const at::Tensor &x) { return x.reshape({2, info.heads, info.valueDim, -1}); };
            const at::Tensor norm = grouped(now.at(name)).square().sum({2, 3}).sqrt();
            QVERIFY(relativeError(probe(ProbeKind::StateNorm, layer).select(2, t), norm) < 1e-4);
            const at::Tensor retention = probe(ProbeKind::Retention, layer).select(2, t);
            if (t == 0) {
                QVERIFY(at::isnan(retention).all().item<bool>());
                continue;
            }
            const at::Tensor decay = at::tensor(info.layers[static_cast<std::size_t>(layer)].channelGamma, at::kFloat)
                                         .reshape({1, info.heads, info.valueDim, 1});
            const at::Tensor past = grouped(before.at(name));
            const at::Tensor left = (past * decay).square().sum({2, 3}).sqrt() / past.square().sum({2, 3}).sqrt();
            QVERIFY(relativeError(retention, left) < 1e-4);
        }
        before = now;
    }
}

void TestRwkv::impliedAttentionIsItsDefinition()
{
    const LoadedModelPtr model = loadRwkv(fixturePath("rwkv5/model.pth"));
    const at::Tensor ids = randomIds(1, 37);
    Kept probe;
    run(model, ids, {}, &probe);
    const Draft draft(fixturePath("rwkv5"));
    const auto weight = [&](const std::string &name) { return draft.tensors.at("blocks.0." + name); };
    const auto norm = [&](const at::Tensor &x, const std::string &name) {
        return at::layer_norm(x, {64}, weight(name + ".weight"), weight(name + ".bias"));
    };
    const at::Tensor x = norm(norm(draft.tensors.at("emb.weight").index({ids[0]}), "ln0"), "ln1");
    const at::Tensor previous = at::cat({at::zeros({1, 64}), x.narrow(0, 0, 36)}, 0);
    const auto heads = [&](const std::string &name, const std::string &mix) {
        const at::Tensor share = weight("att.time_mix_" + mix).flatten();
        return at::linear(x * share + previous * (1 - share), weight("att." + name + ".weight")).view({37, 2, 32});
    };
    const at::Tensor r = heads("receptance", "r"), k = heads("key", "k");
    const at::Tensor w = at::exp(-at::exp(weight("att.time_decay"))), u = weight("att.time_faaaa");
    at::Tensor expected = at::zeros({1, 2, 37, 37});
    for (std::int64_t i = 0; i < 37; ++i)
        for (std::int64_t j = 0; j <= i; ++j)
            expected[0].select(1, i).select(1, j).copy_((r[i] * k[j] * (i == j ? u : w.pow(i - 1 - j))).sum(-1));
    QVERIFY(relativeError(probe(ProbeKind::Attention, 0), expected) < 1e-5);
    QVERIFY(relativeError(at::tensor(model->info().layers[0].channelGamma, at::kFloat).view({2, 32}), w) < 1e-6);
    ModelState state = model->model()->initialState(1);
    Kept later;
    run(model, ids, state);
    run(model, ids, state, {}, &later);
    QVERIFY(!later.values.contains({ProbeKind::Attention, 0}));
}

void TestRwkv::impliedAttentionOfRwkv4IsAMean()
{
    const LoadedModelPtr model = loadRwkv(fixturePath("rwkv4"));
    Kept probe;
    run(model, randomIds(2, 37), {}, &probe);
    for (std::int64_t layer = 0; layer < model->info().layerCount; ++layer) {
        const at::Tensor A = probe(ProbeKind::Attention, layer);
        QCOMPARE(A.sizes(), at::IntArrayRef({2, 1, 37, 37}));
        QVERIFY(at::equal(A.tril(), A) && (A >= 0).all().item<bool>());
        QVERIFY(relativeError(A.sum(-1), at::ones({2, 1, 37})) < 1e-5);
    }
}

void TestRwkv::strongestAndWeakestDecays()
{
    QFETCH(QString, path);
    Draft draft(path.endsWith(".pth") ? path.chopped(10).toStdString() : path.toStdString());
    for (auto &[name, tensor] : draft.tensors)
        if (name.ends_with("time_decay")) {
            tensor.flatten().narrow(0, 0, 8).fill_(200);   // forgets everything at once: its exponential is infinite
            tensor.flatten().narrow(0, 8, 8).fill_(-200);  // forgets nothing
        }
    const std::string folder = m_folder.filePath("extreme" + path.right(4)).toStdString();
    draft.write(folder);
    const LoadedModelPtr model = loadRwkv(folder);
    const at::Tensor ids = randomIds(1, 300);
    const at::Tensor expected = run(model, ids, {Execution::Form::Recurrent, 64});
    for (const Execution &form : forms) {
        Kept probe;
        QVERIFY(relativeError(run(model, ids, form, &probe), expected) < kFormsRelative);
        QVERIFY(at::isfinite(probe(ProbeKind::Attention, 0)).all().item<bool>());
    }
}

void TestRwkv::bfloat16IsClose()
{
    QFETCH(QString, path);
    const LoadedModelPtr exact = loadRwkv(path.toStdString()), rough = loadRwkv(path.toStdString(), "bfloat16");
    QCOMPARE(rough->info().dtype, std::string("bfloat16"));
    QVERIFY(rough->info().weightBytes < exact->info().weightBytes);
    const at::Tensor ids = randomIds(2, 40);
    const at::Tensor expected = run(exact, ids);
    for (const Execution &form : forms) {
        ModelState state = rough->model()->initialState(2);
        const at::Tensor logits = run(rough, ids, state, form);
        QCOMPARE(logits.scalar_type(), at::kFloat);
        QVERIFY((logits - expected).abs().mean().item<double>() < kBFloat16MeanRelative * expected.std().item<double>());
        for (const auto &[name, tensor] : state.tensors())
            QVERIFY(name == "position" || tensor.scalar_type() == at::kFloat);
    }
}

void TestRwkv::metaDevice()
{
    QFETCH(QString, path);
    const LoadedModelPtr model = loadRwkv(path.toStdString(), "float32", "meta"), real = loadRwkv(path.toStdString());
    for (const Execution &form : forms) {
        Kept probe, expected;
        const at::Tensor ids = randomIds(2, 40);
        QCOMPARE(run(model, ids.to(at::kMeta), form, &probe).sizes(), at::IntArrayRef({2, 40, 96}));
        run(real, ids, form, &expected);
        QCOMPARE(probe.values.size(), expected.values.size());
        for (const auto &[key, value] : expected.values)
            QCOMPARE(probe.values.at(key).sizes(), value.sizes());
    }
    QCOMPARE(model->info().layers[0].channelGamma, real->info().layers[0].channelGamma);
}

void TestRwkv::factsAreStated()
{
    const ModelInfo five = loadRwkv(fixturePath("rwkv5/model.pth"))->info();
    QCOMPARE(five.architecture, std::string("rwkv5"));
    QCOMPARE(five.format, std::string("RWKV .pth"));
    QVERIFY(five.heads == 2 && five.keyDim == 32 && five.feedForward == 160 && five.vocabulary == 96 && five.isRecurrent());
    QVERIFY(five.headMeaning.empty() && hasRetention(five) && five.layers[0].channelGamma.size() == 64);
    const ModelInfo four = loadRwkv(fixturePath("rwkv4"))->info();
    QCOMPARE(four.headMeaning, std::string("48 channels"));
    QVERIFY(four.heads == 1 && four.trainedContext == 256 && four.layers[2].channelGamma.size() == 48);
    for (const ModelInfo &info : {five, four})
        QCOMPARE(info.undefined.size(), std::size_t(2));
}

void TestRwkv::huggingFaceSpellingOfRwkv5()
{
    const std::string folder = m_folder.filePath("eagle").toStdString();
    huggingFaceRwkv5().write(folder);
    const LoadedModelPtr model = loadRwkv(folder);
    QCOMPARE(model->info().format, std::string("Hugging Face"));
    const at::Tensor ids = randomIds(2, 40);
    QVERIFY(at::equal(run(model, ids), run(loadRwkv(fixturePath("rwkv5/model.pth")), ids)));

    Draft divided = huggingFaceRwkv5();
    divided.config["head_size_divisor"] = 1;
    divided.write(folder);
    const Golden golden(QString::fromStdString(fixturePath("rwkv5/golden.safetensors")));
    QVERIFY(errorOfRange(run(loadRwkv(folder), golden("input_ids")), golden("logits_eps_1e-5")) < kLogitsOfRange);
}

void TestRwkv::oneDecayPerHead()
{
    Draft channels(fixturePath("rwkv5")), heads(fixturePath("rwkv5"));
    for (const char *layer : {"blocks.0.att.", "blocks.1.att."}) {
        const std::string name = layer;
        const at::Tensor decay = at::randn({2, 1}), first = at::randn({2, 1});
        channels.tensors[name + "time_decay"] = decay.expand({2, 32}).contiguous();
        channels.tensors[name + "time_faaaa"] = first.exp().expand({2, 32}).contiguous();
        heads.tensors.erase(name + "time_faaaa");
        heads.tensors[name + "time_decay"] = decay.reshape({2});
        heads.tensors[name + "time_first"] = first.reshape({2, 1, 1});
    }
    channels.write(m_folder.filePath("5.2").toStdString());
    heads.write(m_folder.filePath("5.1").toStdString());
    const at::Tensor ids = randomIds(1, 50);
    QVERIFY(relativeError(run(loadRwkv(m_folder.filePath("5.1").toStdString()), ids),
                          run(loadRwkv(m_folder.filePath("5.2").toStdString()), ids)) < 1e-6);
}

void TestRwkv::tiedAndWideAttention()
{
    Draft draft(fixturePath("rwkv4"));
    draft.config["tie_word_embeddings"] = true;
    draft.config["attention_hidden_size"] = 130;
    draft.config["intermediate_size"] = nullptr;
    draft.tensors.erase("head.weight");
    for (auto &[name, tensor] : draft.tensors) {
        if (name.ends_with("time_decay") || name.ends_with("time_first"))
            tensor = at::randn({130});
        else if (name.find(".attention.output.weight") != name.npos)
            tensor = at::randn({48, 130}) * 0.1;
        else if (name.find(".attention.") != name.npos && name.ends_with(".weight"))
            tensor = at::randn({130, 48}) * 0.1;
    }
    const std::string folder = m_folder.filePath("wide").toStdString();
    draft.write(folder);
    const LoadedModelPtr model = loadRwkv(folder);
    QCOMPARE(model->info().heads, 5);  // the largest divisor of 130 up to 64 is 26
    QCOMPARE(model->info().headMeaning, std::string("26 channels"));
    const at::Tensor ids = randomIds(1, 30);
    QVERIFY(relativeError(run(model, ids), run(model, ids, {Execution::Form::Recurrent, 64})) < kFormsRelative);
}

QTEST_GUILESS_MAIN(TestRwkv)
#include "tst_rwkv.moc"
