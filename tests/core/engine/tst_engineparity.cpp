// The engine on checkpoints with golden values from other implementations.
#include "engine/engine.h"
#include "fixtures.h"
#include "tensor/device.h"

#include <QTemporaryDir>

#include <cmath>
#include <random>
#include <thread>

using namespace lens;
using fixtures::load;
using fixtures::onCpu;

namespace {

using Ids = std::vector<TokenId>;

std::string fixture(const std::string &name)
{
    return fixtures::data("models/" + name);
}

GenerationOptions greedy(std::int64_t count)
{
    GenerationOptions options;
    options.maxTokens = count;
    options.ignoreEndOfText = true;
    return options;
}

Ids generate(DecodeSession &session, const Ids &prompt, const GenerationOptions &options, std::int64_t *reused = nullptr)
{
    const auto result = session.generate(prompt, options, {}, {});
    if (!result)
        qFatal("%s", toString(result.error()).c_str());
    if (reused)
        *reused = result->reusedTokens;
    return result->ids;
}

Ids randomIds(std::mt19937 &engine, std::size_t count, std::int64_t vocabulary)
{
    Ids ids;
    for (std::size_t i = 0; i < count; ++i)
        ids.push_back(static_cast<TokenId>(engine() % static_cast<std::uint64_t>(vocabulary)));
    return ids;
}

const std::vector<std::string> folders = {
    "hf_llama3_rope", "hf_llama_bias_headdim_sharded", "hf_llama_gqa", "hf_llama_tied_linear_rope", "hf_mistral_window",
    "openlm_softmax_gqa", "openlm_softmax_qknorm", "supra_decay_h4", "supra_gqa_h8_kv2", "supra_gqa_hf", "supra_h6",
    "supra_long", "supra_mqa_decay_start", "supra_nodecay", "supra_nopos_dk20", "supra_qknorm", "supra_retnet",
    "gguf_bf16", "gguf_f16", "gguf_f32", "gguf_q4_0", "gguf_q4_1", "gguf_q4_k", "gguf_q5_0", "gguf_q5_1", "gguf_q5_k",
    "gguf_q6_k", "gguf_q8_0",
};

void addFolders()
{
    QTest::addColumn<QString>("folder");
    for (const std::string &folder : folders)
        QTest::addRow("%s", folder.c_str()) << QString::fromStdString(folder);
}

} // namespace

class TestEngineParity : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { setThreadCount(1); }  // models this small only wait for other threads
    void greedyTextIsIdentical_data() { addFolders(); }
    void greedyTextIsIdentical();
    void forcedLikelihoodsMatchTheLogits_data() { addFolders(); }
    void forcedLikelihoodsMatchTheLogits();
    void attentionMatches_data();
    void attentionMatches();
    void reuseNeverChangesTheText_data();
    void reuseNeverChangesTheText();
    void savedStateContinuesToTheBit_data();
    void savedStateContinuesToTheBit();
    void stateNormsAreThoseOfTheState();
    void conversionsRunAndKeepTheirFacts();
    void savedModelsAreTheSameModels_data();
    void savedModelsAreTheSameModels();
    void twoSessionsInTwoThreads();
    void metaDeviceLoadsButDoesNotGenerate();
};

void TestEngineParity::greedyTextIsIdentical()
{
    QFETCH(QString, folder);
    const auto golden = fixtures::read(fixture(folder.toStdString()) + "/golden.safetensors");
    const Ids expected = fixtures::ids(golden.at("greedy"));
    Ids prompt = fixtures::ids(golden.at("input_ids")[0]);
    if (!folder.startsWith("gguf"))
        prompt.resize(8);
    const auto session = *DecodeSession::create(load(fixture(folder.toStdString())));
    QCOMPARE(generate(*session, prompt, greedy(static_cast<std::int64_t>(expected.size()))), expected);
}

void TestEngineParity::forcedLikelihoodsMatchTheLogits()
{
    QFETCH(QString, folder);
    const auto golden = fixtures::read(fixture(folder.toStdString()) + "/golden.safetensors");
    const Ids text = fixtures::ids(golden.at("input_ids")[0]);
    const at::Tensor logprobs = at::log_softmax(golden.at("logits")[0].to(at::kDouble), -1);
    const auto model = load(fixture(folder.toStdString()));
    const auto result = compareForced(*model, *model, text);
    QVERIFY(result);
    for (std::size_t t = 0; t + 1 < text.size(); ++t) {
        const double expected = -logprobs[static_cast<std::int64_t>(t)][text[t + 1]].item<double>();
        QVERIFY2(std::abs(result->nllFirst[t] - expected) < 1e-3, qPrintable(QString::number(result->nllFirst[t] - expected)));
    }
}

void TestEngineParity::attentionMatches_data()
{
    QTest::addColumn<QString>("folder");
    QTest::addColumn<QString>("tensor");
    for (const char *folder : {"hf_llama_gqa", "hf_mistral_window", "openlm_softmax_gqa"})
        QTest::addRow("%s", folder) << folder << "attn";
    for (const char *folder : {"supra_decay_h4", "supra_gqa_h8_kv2", "supra_h6", "supra_nodecay"})
        QTest::addRow("%s", folder) << folder << "linear_attn";
}

void TestEngineParity::attentionMatches()
{
    QFETCH(QString, folder);
    QFETCH(QString, tensor);
    const auto golden = fixtures::read(fixture(folder.toStdString()) + "/golden.safetensors");
    const auto model = load(fixture(folder.toStdString()));
    const auto map = AttentionMap::measure(*model, fixtures::ids(golden.at("input_ids")[0]));
    QVERIFY2(map, map ? "" : toString(map.error()).c_str());
    for (std::int64_t layer = 0; layer < (*map)->layers(); ++layer) {
        const auto found = golden.find("layers." + std::to_string(layer) + "." + tensor.toStdString());
        if (found == golden.end())
            continue;
        for (std::int64_t head = 0; head < (*map)->heads(); ++head) {
            const HeadAttention own = (*map)->head(layer, head, RowScaling::None);
            const at::Tensor expected = found->second[0][head].contiguous();
            const at::Tensor values = at::tensor(own.weights.values).reshape({own.weights.rows, own.weights.columns});
            const double error = (values - expected).abs().max().item<double>();
            QVERIFY2(error < 1e-4 * std::max(1.0, expected.abs().max().item<double>()), qPrintable(QString::number(error)));
        }
    }
}

void TestEngineParity::reuseNeverChangesTheText_data()
{
    QTest::addColumn<QString>("specification");
    for (const char *name : {"hf_llama_gqa", "hf_mistral_window", "supra_decay_h4", "supra_retnet", "hf_llama_gqa@supra:layers=1"})
        QTest::addRow("%s", name) << name;
}

void TestEngineParity::reuseNeverChangesTheText()
{
    QFETCH(QString, specification);
    const auto model = load(fixture(specification.toStdString()));
    const auto reused = *DecodeSession::create(model);
    std::mt19937 engine(17);
    Ids last = randomIds(engine, 5, model->info().vocabulary);
    std::int64_t reusedTotal = 0;
    for (int round = 0; round < 25; ++round) {
        Ids prompt = engine() % 4 == 0 ? randomIds(engine, 1 + engine() % 300, model->info().vocabulary) : last;
        prompt.resize(1 + engine() % prompt.size());
        const Ids more = randomIds(engine, engine() % 4, model->info().vocabulary);
        prompt.insert(prompt.end(), more.begin(), more.end());
        GenerationOptions options = greedy(1 + static_cast<std::int64_t>(engine() % 8));
        options.sampling.temperature = round % 2 ? 0.8 : 0;
        options.sampling.seed = engine();
        std::int64_t reusedTokens = 0;
        const Ids one = generate(*reused, prompt, options, &reusedTokens);
        reusedTotal += reusedTokens;
        QCOMPARE(one, generate(**DecodeSession::create(model), prompt, options));
        last = prompt;
        last.insert(last.end(), one.begin(), one.end());
    }
    QVERIFY(reusedTotal > 0);
}

void TestEngineParity::savedStateContinuesToTheBit_data()
{
    reuseNeverChangesTheText_data();
}

void TestEngineParity::savedStateContinuesToTheBit()
{
    QFETCH(QString, specification);
    QTemporaryDir folder;
    const std::string file = folder.filePath("state.safetensors").toStdString();
    const auto model = load(fixture(specification.toStdString()));
    std::mt19937 engine(4);
    Ids prompt = randomIds(engine, 100, model->info().vocabulary);
    const auto session = *DecodeSession::create(model);
    const Ids first = generate(*session, prompt, greedy(5));
    const auto saved = session->saveState(file);
    QVERIFY2(saved, saved ? "" : toString(saved.error()).c_str());
    const auto restored = *DecodeSession::create(model);
    const auto loaded = restored->restoreState(file);
    QVERIFY2(loaded, loaded ? "" : toString(loaded.error()).c_str());

    prompt.insert(prompt.end(), first.begin(), first.end());
    std::vector<float> logprobs[2];
    const DecodeSession *sessions[] = {session.get(), restored.get()};
    for (int i = 0; i < 2; ++i) {
        GenerationCallbacks callbacks;
        callbacks.token = [&](const TokenEvent &event) {
            logprobs[i].push_back(event.logprob);
            for (const TokenAlternative &alternative : event.alternatives)
                logprobs[i].push_back(alternative.logprob);
        };
        QVERIFY(const_cast<DecodeSession *>(sessions[i])->generate(prompt, greedy(10), callbacks, {}));
    }
    QCOMPARE(logprobs[0].size(), std::size_t(60));
    QCOMPARE(logprobs[0], logprobs[1]);
}

void TestEngineParity::stateNormsAreThoseOfTheState()
{
    const auto golden = fixtures::read(fixture("supra_decay_h4") + "/golden.safetensors");
    const Ids text = fixtures::ids(golden.at("input_ids")[0]);
    const auto session = *DecodeSession::create(load(fixture("supra_decay_h4")));
    HeadFrame last;
    GenerationCallbacks callbacks;
    callbacks.stateNorms = [&](const HeadFrame &frame) { last = frame; };
    QVERIFY(session->generate(text, greedy(0), callbacks, {}));
    QCOMPARE(last.tokens, static_cast<std::int64_t>(text.size()));
    for (std::int64_t layer = 0; layer < last.layers; ++layer) {
        const at::Tensor state = golden.at("layers." + std::to_string(layer) + ".state_undecayed")[0];
        for (std::int64_t head = 0; head < last.heads; ++head) {
            const double expected = state[head].norm().item<double>();
            const auto index = static_cast<std::size_t>(((last.tokens - 1) * last.layers + layer) * last.heads + head);
            QVERIFY(std::abs(last.values[index] - expected) < 1e-4 * std::max(1.0, expected));
        }
    }
}

void TestEngineParity::conversionsRunAndKeepTheirFacts()
{
    const auto source = load(fixture("hf_llama_gqa"));
    for (const char *conversion : {"supra", "supra:retnet:identity", "t2r", "linear"}) {
        const auto model = load(fixture("hf_llama_gqa") + "@" + conversion);
        QVERIFY(model->info().untrained);
        QVERIFY(model->info().origin.find(source->info().fingerprint) != std::string::npos);
        QCOMPARE(model->info().fingerprint.size(), std::size_t(32));
        QVERIFY(model->info().fingerprint != source->info().fingerprint);
        QVERIFY(model->info().name != source->info().name);
        QVERIFY(model->info().isRecurrent());
        const auto session = *DecodeSession::create(model);
        const Ids prompt = {1, 2, 3, 4, 5};
        QCOMPARE(generate(*session, prompt, greedy(6)), generate(**DecodeSession::create(load(model->info().path)), prompt, greedy(6)));
    }
    const auto linear = load(fixture("supra_decay_h4"));
    QVERIFY(!convertModel(linear, {}));
    QVERIFY(!loadModel(fixture("hf_llama_gqa") + "@nonsense", onCpu()));
}

void TestEngineParity::savedModelsAreTheSameModels_data()
{
    QTest::addColumn<QString>("specification");
    QTest::addColumn<int>("format");
    for (const char *name : {"hf_llama_gqa", "hf_llama_gqa@supra", "hf_llama_gqa@t2r", "gguf_q8_0", "gguf_f32@supra:seed=5", "supra_gqa_h8_kv2"})
        QTest::addRow("%s own", name) << name << int(SaveFormat::SupraLens);
    for (const char *name : {"hf_llama_gqa@supra", "gguf_f32@supra:seed=5", "supra_gqa_h8_kv2"})
        QTest::addRow("%s open_lm", name) << name << int(SaveFormat::OpenLm);
}

void TestEngineParity::savedModelsAreTheSameModels()
{
    QFETCH(QString, specification);
    QFETCH(int, format);
    QTemporaryDir folder;
    const std::string path = folder.filePath("saved").toStdString();
    const auto model = load(fixture(specification.toStdString()));
    const auto saved = saveModel(*model, path, static_cast<SaveFormat>(format));
    QVERIFY2(saved, saved ? "" : toString(saved.error()).c_str());
    const auto again = load(path);
    QCOMPARE(again->info().layerCount, model->info().layerCount);
    QCOMPARE(again->info().mixer, model->info().mixer);
    QCOMPARE(again->tokenizer() != nullptr, model->tokenizer() != nullptr);
    if (model->tokenizer()) {
        const std::string text = "Some text, with <s> in it \u00e9\u4e2d 42";
        QCOMPARE(*again->tokenizer()->encode(text), *model->tokenizer()->encode(text));
    }
    std::mt19937 engine(8);
    const Ids text = randomIds(engine, 60, model->info().vocabulary);
    const auto compared = compareForced(*model, *again, text);
    QVERIFY(compared);
    for (const float kl : compared->kl)
        QVERIFY2(kl < 1e-6f, qPrintable(QString::number(kl)));
    QVERIFY(saveModel(*again, path, SaveFormat::SupraLens).error().code == ErrorCode::InvalidArgument);
}

void TestEngineParity::twoSessionsInTwoThreads()
{
    const auto model = load(fixture("supra_gqa_h8_kv2"));
    std::mt19937 engine(2);
    const Ids prompts[] = {randomIds(engine, 300, model->info().vocabulary), randomIds(engine, 200, model->info().vocabulary)};
    Ids results[2];
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 2; ++i)
            threads.emplace_back([&, i] { results[i] = generate(**DecodeSession::create(model), prompts[i], greedy(30)); });
    }
    for (int i = 0; i < 2; ++i)
        QCOMPARE(results[i], generate(**DecodeSession::create(model), prompts[i], greedy(30)));
}

void TestEngineParity::metaDeviceLoadsButDoesNotGenerate()
{
    LoadOptions options;
    options.device = "meta";
    const auto model = loadModel(fixture("supra_decay_h4"), options);
    QVERIFY2(model, model ? "" : toString(model.error()).c_str());
    const Ids text = {1, 2, 3};
    QVERIFY((*DecodeSession::create(*model))->generate(text, greedy(1), {}, {}).error().code == ErrorCode::Unsupported);
    QVERIFY(compareForced(**model, **model, text).error().code == ErrorCode::Unsupported);
    QVERIFY(AttentionMap::measure(**model, text).error().code == ErrorCode::Unsupported);
}

QTEST_GUILESS_MAIN(TestEngineParity)
#include "tst_engineparity.moc"
