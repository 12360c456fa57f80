// Pretrained models against other implementations. Each test skips when its model is not there.
#include "engine/engine.h"
#include "fixtures.h"
#include "model/languagemodel.h"

#include <c10/core/GradMode.h>
#include <QFile>
#include <nlohmann/json.hpp>

#include <cmath>
#include <set>
#include <thread>

using namespace lens;
using fixtures::load;
using nlohmann::json;

namespace {

using Ids = std::vector<TokenId>;

std::string readFile(const std::string &path)
{
    QFile file(QString::fromStdString(path));
    return file.open(QIODevice::ReadOnly) ? file.readAll().toStdString() : std::string();
}

json readJson(const std::string &name)
{
    return json::parse(readFile(fixtures::data("smollm2/" + name)));
}

/// float32 log probabilities [T, V], read in passes of some hundred tokens.
at::Tensor logProbs(const LanguageModel &model, const Ids &ids, std::int64_t first, std::int64_t count, ModelState &state)
{
    const std::vector<std::int64_t> wide(ids.begin() + first, ids.begin() + first + count);
    return at::log_softmax(model.forward(at::tensor(wide, at::kLong).unsqueeze(0), state, {})[0], -1);
}

constexpr const char *noSmolLm2 = "SmolLM2-135M-Instruct is not installed; ./run --get smollm2 fetches it";

} // namespace

class TestPretrained : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void smolLm2TopTokens();
    void smolLm2Perplexity();
    void smolLm2Greedy();
    void smolLm2ConvertedHasConstantState();
    void smolLm2CancelsQuickly();
    void stories260kGreedy();

private:
    LoadedModelPtr m_smolLm2;
};

void TestPretrained::initTestCase()
{
    if (const std::string path = fixtures::smolLm2(); !path.empty())
        m_smolLm2 = load(path);
}

void TestPretrained::smolLm2TopTokens()
{
    if (!m_smolLm2)
        QSKIP(noSmolLm2);
    const auto golden = fixtures::read(fixtures::data("smollm2/top20.safetensors"));
    const json prompts = readJson("top20.json")["prompts"];
    QCOMPARE(prompts.size(), std::size_t(3));
    for (std::size_t n = 0; n < prompts.size(); ++n) {
        const std::string prefix = "p" + std::to_string(n) + ".";
        const Ids ids = fixtures::ids(golden.at(prefix + "ids"));
        QCOMPARE(*m_smolLm2->tokenizer()->encode(prompts[n]["prompt"].get<std::string>()), ids);
        ModelState state = m_smolLm2->model()->initialState(1);
        const c10::NoGradGuard noGrad;
        const at::Tensor own = logProbs(*m_smolLm2->model(), ids, 0, static_cast<std::int64_t>(ids.size()), state);
        const at::Tensor topIds = golden.at(prefix + "f32.top_ids").to(at::kLong);
        const double error = (own.gather(1, topIds) - golden.at(prefix + "f32.top_logprobs")).abs().max().item<double>();
        QVERIFY2(error < 2e-3, qPrintable(QString::number(error)));
        const double agreement = (own.argmax(-1) == topIds.select(1, 0)).to(at::kDouble).mean().item<double>();
        QVERIFY2(agreement >= 0.999, qPrintable(QString::number(agreement)));
    }
}

void TestPretrained::smolLm2Perplexity()
{
    if (!m_smolLm2)
        QSKIP(noSmolLm2);
    const auto golden = fixtures::read(fixtures::data("smollm2/ppl.safetensors"));
    const Ids ids = fixtures::ids(golden.at("ids"));
    QCOMPARE(*m_smolLm2->tokenizer()->encode(readFile(fixtures::data("smollm2/ppl_text.txt"))), ids);

    const c10::NoGradGuard noGrad;
    ModelState state = m_smolLm2->model()->initialState(1);
    std::vector<at::Tensor> top, nll;
    const auto total = static_cast<std::int64_t>(ids.size());
    for (std::int64_t first = 0; first < total; first += 256) {
        const std::int64_t count = std::min<std::int64_t>(256, total - first);
        const at::Tensor own = logProbs(*m_smolLm2->model(), ids, first, count, state);
        top.push_back(own.argmax(-1));
        const std::int64_t predicted = std::min(count, total - 1 - first);
        const at::Tensor next = golden.at("ids").to(at::kLong).narrow(0, first + 1, predicted).unsqueeze(1);
        nll.push_back(-own.narrow(0, 0, predicted).gather(1, next).squeeze(1));
    }
    const at::Tensor ownNll = at::cat(nll), expected = golden.at("nll_f32");
    const double largest = (ownNll - expected).abs().max().item<double>();
    const double ratio = std::exp(ownNll.to(at::kDouble).mean().item<double>() - expected.to(at::kDouble).mean().item<double>());
    const double agreement = (at::cat(top) == golden.at("top1_f32").to(at::kLong)).to(at::kDouble).mean().item<double>();
    const double llamaCpp = (at::cat(top) == golden.at("top1_llamacpp").to(at::kLong)).to(at::kDouble).mean().item<double>();
    qInfo("largest nll difference %g, perplexity ratio - 1 %g, top-1 agreement %g, with llama.cpp %g", largest, ratio - 1,
          agreement, llamaCpp);
    QVERIFY(largest < 1e-3);
    QVERIFY(std::abs(ratio - 1) < 1e-4);
    QVERIFY(agreement >= 0.999);
    QVERIFY(llamaCpp >= 0.94);
}

void TestPretrained::smolLm2Greedy()
{
    if (!m_smolLm2)
        QSKIP(noSmolLm2);
    const auto session = *DecodeSession::create(m_smolLm2);
    const json cases = readJson("greedy.json")["cases"];
    QVERIFY(!cases.empty());
    for (const json &one : cases) {
        Ids prompt;
        if (one.contains("messages")) {
            std::vector<ChatMessage> messages;
            for (const json &message : one["messages"]) {
                const std::string role = message["role"];
                messages.push_back({role == "system" ? Role::System : role == "user" ? Role::User : Role::Assistant,
                                    message["content"].get<std::string>()});
            }
            const auto encoded = encodeConversation(*m_smolLm2, messages);
            QVERIFY2(encoded, encoded ? "" : toString(encoded.error()).c_str());
            prompt = *encoded;
        } else {
            prompt = *m_smolLm2->tokenizer()->encode(one["prompt"].get<std::string>());
        }
        QCOMPARE(prompt, one["ids"].get<Ids>());
        GenerationOptions options;
        options.maxTokens = 48;
        const auto result = session->generate(prompt, options, {}, {});
        QVERIFY2(result, result ? "" : toString(result.error()).c_str());
        QCOMPARE(result->ids, one["f32"]["ids"].get<Ids>());
        QCOMPARE(result->reason == StopReason::EndOfText, one["f32"]["stopped"].get<bool>());
        if (result->reason != StopReason::EndOfText)
            QCOMPARE(result->text, one["f32"]["text"].get<std::string>());
        qInfo("%.0f tokens/s, prompt of %zu in %.2f s", result->tokensPerSecond(), prompt.size(), result->prefillSeconds);
    }
}

void TestPretrained::smolLm2ConvertedHasConstantState()
{
    if (!m_smolLm2)
        QSKIP(noSmolLm2);
    const auto converted = convertModel(m_smolLm2, {});
    QVERIFY2(converted, converted ? "" : toString(converted.error()).c_str());
    const auto session = *DecodeSession::create(*converted);
    std::set<std::uint64_t> sizes;
    GenerationCallbacks callbacks;
    callbacks.token = [&](const TokenEvent &event) { sizes.insert(event.stateBytes); };
    GenerationOptions options;
    options.maxTokens = 10;
    options.ignoreEndOfText = true;
    const Ids prompt = *m_smolLm2->tokenizer()->encode("The museum on the hill was once a hospital.");
    const auto result = session->generate(prompt, options, callbacks, {});
    QVERIFY2(result, result ? "" : toString(result.error()).c_str());
    QCOMPARE(sizes.size(), std::size_t(1));
    QCOMPARE(*sizes.begin(), (*converted)->info().stateBytes);
    const auto compared = compareForced(*m_smolLm2, **converted, prompt);
    QVERIFY(compared);
    for (const float kl : compared->kl)
        QVERIFY(std::isfinite(kl));
    const auto own = AttentionMap::measure(*m_smolLm2, prompt), other = AttentionMap::measure(**converted, prompt);
    QVERIFY(own && other);
    const auto errors = (*own)->errors(**other, RowScaling::AbsoluteSum);
    QCOMPARE(errors->frobenius.size(), std::size_t(270));
    QVERIFY(std::isfinite(errors->frobenius.front()));
}

void TestPretrained::smolLm2CancelsQuickly()
{
    if (!m_smolLm2)
        QSKIP(noSmolLm2);
    const auto session = *DecodeSession::create(m_smolLm2);
    const Ids prompt = fixtures::ids(fixtures::read(fixtures::data("smollm2/ppl.safetensors")).at("ids"));
    std::chrono::steady_clock::time_point asked;
    std::stop_source stop;
    std::jthread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(700));
        asked = std::chrono::steady_clock::now();
        stop.request_stop();
    });
    GenerationOptions options;
    options.maxTokens = 400;
    const auto result = session->generate(prompt, options, {}, stop.get_token());
    const auto waited = std::chrono::steady_clock::now() - asked;
    QVERIFY(result->reason == StopReason::Cancelled);
    QVERIFY2(waited < std::chrono::milliseconds(200),
             qPrintable(QString::number(std::chrono::duration<double>(waited).count())));
}

void TestPretrained::stories260kGreedy()
{
    const std::string shared = qgetenv("SUPRALENS_SHARED").toStdString();
    const std::string path = shared + "/models/stories260K.bin";
    if (shared.empty() || !QFile::exists(QString::fromStdString(path)))
        QSKIP("set SUPRALENS_SHARED to a folder with models/stories260K.bin and tok512.bin");
    const auto model = load(path);
    QVERIFY(model->tokenizer() != nullptr);
    QCOMPARE(model->tokenizer()->size(), std::size_t(512));
    GenerationOptions options;
    options.maxTokens = 256;
    options.ignoreEndOfText = true;
    const auto result = (*DecodeSession::create(model))->generate(Ids{1}, options, {}, {});
    QVERIFY2(result, result ? "" : toString(result.error()).c_str());
    const QString expected = QString::fromStdString(readFile(shared + "/models/stories260K.greedy.txt")).trimmed();
    QVERIFY(!expected.isEmpty());
    QCOMPARE(QString::fromStdString(result->text).trimmed().right(60), expected.right(60));
    QCOMPARE(QString::fromStdString(result->text).trimmed(), expected);
}

QTEST_GUILESS_MAIN(TestPretrained)
#include "tst_pretrained.moc"
