// Decoding one step ahead of the host leaves the same text and the same session as decoding step by step. On the CPU,
// where both compute the same numbers; tst_cuda compares them on a GPU.
#include "engine/devicesampler.h"
#include "engine/generation.h"
#include "engine/memory.h"
#include "fakemodel.h"
#include "fixtures.h"

#include <c10/core/GradMode.h>
#include <cmath>
#include <random>

using namespace lens;

namespace {

using Ids = std::vector<TokenId>;

const std::vector<std::vector<bool>> kinds = {{true, true}, {false, false}, {true, false}};
const std::vector<std::string> demoModels = {"stories-softmax", "stories-supra", "stories-supra-nodecay",
                                             "stories-t2r"};

std::string demoPath(const std::string &name)
{
    return std::string(SUPRALENS_SOURCE_DIR) + "/resources/models/" + name;
}

/// Everything that one call shows the outside.
struct Outcome {
    std::optional<GenerationResult> result;
    std::string error;
    std::vector<TokenEvent> events;
    std::map<std::int64_t, std::vector<float>> norms;  ///< by token
};

/// A conversation that is decoded in one of the two ways.
class Session {
public:
    Session(LoadedModelPtr model, ChooseOn where)
        : m_model(std::move(model)), m_runner(std::move(*SequenceRunner::create(m_model->model()))), m_where(where)
    {
    }

    Outcome run(const Ids &prompt, GenerationOptions options, std::stop_source stop = {}, std::size_t stopAfter = 0,
                bool probes = false)
    {
        options.plainPath = true;  // what feeds a token that only the device knows
        Outcome outcome;
        GenerationCallbacks callbacks;
        callbacks.token = [&](const TokenEvent &event) {
            outcome.events.push_back(event);
            if (outcome.events.size() == stopAfter)
                stop.request_stop();
        };
        if (probes)
            callbacks.stateNorms = [&](const HeadFrame &frame) {
                const auto width = static_cast<std::size_t>(frame.layers * frame.heads);
                for (std::int64_t t = 0; t < frame.tokens; ++t) {
                    const auto *row = frame.values.data() + static_cast<std::size_t>(t) * width;
                    outcome.norms[frame.firstToken + t].assign(row, row + width);
                }
            };
        auto result = Generation(*m_model, m_runner, options, callbacks, stop.get_token(), m_where).run(prompt);
        if (result)
            outcome.result = std::move(*result);
        else
            outcome.error = toString(result.error());
        return outcome;
    }

    const SequenceRunner &runner() const { return m_runner; }

private:
    LoadedModelPtr m_model;
    SequenceRunner m_runner;
    ChooseOn m_where;
};

GenerationOptions tokens(std::int64_t count, double temperature = 0)
{
    GenerationOptions options;
    options.maxTokens = count;
    options.sampling.temperature = temperature;
    options.sampling.seed = 12;
    options.ignoreEndOfText = true;
    return options;
}

bool close(float a, float b)
{
    return (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= 1e-5f * (1 + std::abs(b));
}

/// Ends the calling test with the line at which they differ.
void compareEvents(const Outcome &host, const Outcome &device)
{
    QCOMPARE(device.events.size(), host.events.size());
    for (std::size_t i = 0; i < host.events.size(); ++i) {
        const TokenEvent &a = host.events[i], &b = device.events[i];
        QCOMPARE(b.id, a.id);
        QCOMPARE(b.text, a.text);
        QCOMPARE(b.position, a.position);
        QCOMPARE(b.stateBytes, a.stateBytes);
        QVERIFY(close(b.logprob, a.logprob));
        QCOMPARE(b.alternatives.size(), a.alternatives.size());
        for (std::size_t j = 0; j < a.alternatives.size(); ++j) {
            QCOMPARE(b.alternatives[j].id, a.alternatives[j].id);
            QCOMPARE(b.alternatives[j].text, a.alternatives[j].text);
            QVERIFY(close(b.alternatives[j].logprob, a.alternatives[j].logprob));
        }
    }
}

void compareSessions(const SequenceRunner &host, const SequenceRunner &device)
{
    QCOMPARE(Ids(device.ids().begin(), device.ids().end()), Ids(host.ids().begin(), host.ids().end()));
    QVERIFY(host.logits() && device.logits());
    QCOMPARE(*device.logits(), *host.logits());
    const NamedTensors a = host.state().tensors(), b = device.state().tensors();
    QCOMPARE(b.size(), a.size());
    for (const auto &[name, tensor] : a)
        QVERIFY2(at::equal(b.at(name), tensor), name.c_str());
}

/// Two sessions that are told the same.
class Pair {
public:
    explicit Pair(const LoadedModelPtr &model) : Pair(model, model) {}
    Pair(const LoadedModelPtr &first, const LoadedModelPtr &second)
        : m_host(first, ChooseOn::Host), m_device(second, ChooseOn::Device)
    {
    }

    /// Returns what was generated. `stopAfter` tokens a stop is requested.
    Ids run(const Ids &prompt, const GenerationOptions &options, std::size_t stopAfter = 0, bool probes = false)
    {
        const Outcome host = m_host.run(prompt, options, {}, stopAfter, probes);
        const Outcome device = m_device.run(prompt, options, {}, stopAfter, probes);
        error = device.error;
        [&] {
            QCOMPARE(device.error, host.error);
            compareEvents(host, device);
            compareSessions(m_host.runner(), m_device.runner());
            QCOMPARE(device.norms, host.norms);
            if (!host.result)
                return;
            QCOMPARE(device.result->ids, host.result->ids);
            QCOMPARE(device.result->text, host.result->text);
            QVERIFY(device.result->reason == host.result->reason);
            QCOMPARE(device.result->reusedTokens, host.result->reusedTokens);
            QCOMPARE(device.result->stateBytes, host.result->stateBytes);
            reason = device.result->reason;
            text = device.result->text;
        }();
        lastNorms = device.norms;
        Ids ids;
        for (const TokenEvent &event : device.events)
            ids.push_back(event.id);
        return ids;
    }

    const SequenceRunner &device() const { return m_device.runner(); }

    StopReason reason = StopReason::Cancelled;
    std::string text, error;
    std::map<std::int64_t, std::vector<float>> lastNorms;

private:
    Session m_host, m_device;
};

Ids joined(Ids first, const Ids &second)
{
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

} // namespace

class TestDeviceDecoding : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void conversationsOfDemoModels_data();
    void conversationsOfDemoModels();
    void stopStringsInStories_data() { conversationsOfDemoModels_data(); }
    void stopStringsInStories();
    void probesSeeWhatIsKept_data() { conversationsOfDemoModels_data(); }
    void probesSeeWhatIsKept();
    void runsOneStepAhead();
    void endOfTextTakesTheStepBack();
    void cancelledBetweenTokens();
    void cancelledInTheMiddleOfAStep();
    void longTextsLeaveSnapshots();
    void theContextBecomesFull();
    void errorsComeAfterTheTokensBefore();
    void noMemoryForAStep();
    void noTokensWanted();
    void nothingIsReadFromTheDevice_data() { conversationsOfDemoModels_data(); }
    void nothingIsReadFromTheDevice();
};

void TestDeviceDecoding::conversationsOfDemoModels_data()
{
    QTest::addColumn<QString>("name");
    for (const std::string &name : demoModels)
        QTest::newRow(name.c_str()) << QString::fromStdString(name);
}

void TestDeviceDecoding::conversationsOfDemoModels()
{
    QFETCH(QString, name);
    const LoadedModelPtr model = fixtures::load(demoPath(name.toStdString()));
    const Ids prompt = *model->tokenizer()->encode("Once upon a time, there was a little girl named Lily.");
    const Ids question = *model->tokenizer()->encode("One day, she");
    for (const double temperature : {0.0, 0.8, 1.5}) {
        GenerationOptions options = tokens(40, temperature);
        options.ignoreEndOfText = false;
        if (temperature > 1) {
            options.sampling.topK = 60;
            options.sampling.topP = 0.95;
            options.sampling.repetitionPenalty = 1.2;
            options.sampling.frequencyPenalty = 0.2;
            options.sampling.penaltyWindow = 16;
            options.sampling.logitBias = {{question.back(), -std::numeric_limits<double>::infinity()},
                                          {prompt.back(), 2.0}};
        }
        Pair pair(model);
        const Ids first = pair.run(prompt, options);
        QVERIFY(!first.empty());
        const Ids second = pair.run(joined(joined(prompt, first), question), options);  // another turn
        QVERIFY(!second.empty());
        pair.run(joined(prompt, first), options);                                       // the first one goes on
        pair.run(prompt, options);                                                      // and is written again
    }
}

void TestDeviceDecoding::stopStringsInStories()
{
    QFETCH(QString, name);
    const LoadedModelPtr model = fixtures::load(demoPath(name.toStdString()));
    const Ids prompt = *model->tokenizer()->encode("Once upon a time, there was a little girl named Lily.");
    GenerationOptions options = tokens(120);
    options.stopStrings = {". She", "the", "nonsense"};
    Pair pair(model);
    const Ids ids = pair.run(prompt, options);
    QVERIFY(pair.reason == StopReason::StopString);
    QVERIFY(pair.text.find("the") == std::string::npos);
    QCOMPARE(pair.device().ids().size(), prompt.size() + ids.size() - 1);
    options.stopStrings.clear();
    pair.run(joined(prompt, ids), options);
}

void TestDeviceDecoding::probesSeeWhatIsKept()
{
    QFETCH(QString, name);
    const LoadedModelPtr model = fixtures::load(demoPath(name.toStdString()));
    const Ids prompt = *model->tokenizer()->encode("Once upon a time");
    GenerationOptions options = tokens(60);
    options.stopStrings = {"."};  // takes a step back that a probe has seen
    Pair pair(model);
    const Ids ids = pair.run(prompt, options, 0, true);
    QVERIFY(pair.reason == StopReason::StopString);
    QCOMPARE(pair.lastNorms.size(), name.contains("softmax") ? 0 : prompt.size() + ids.size() - 1);
    pair.run(joined(prompt, ids), tokens(20), 7, true);
    QVERIFY(pair.reason == StopReason::Cancelled);
}

/// The model has computed what follows a token before the host sees it, but nothing beyond one that must be the last.
void TestDeviceDecoding::runsOneStepAhead()
{
    for (const auto &kind : kinds) {
        const auto fakeModel = std::make_shared<fake::Model>(kind);
        const LoadedModelPtr model = fake::loaded(fakeModel);
        auto runner = std::move(*SequenceRunner::create(fakeModel));
        std::vector<std::int64_t> computed;
        GenerationCallbacks callbacks;
        callbacks.token = [&](const TokenEvent &) { computed.push_back(fakeModel->tokensComputed); };
        const GenerationOptions options = tokens(5);
        QVERIFY(Generation(*model, runner, options, callbacks, {}, ChooseOn::Device).run(Ids{1, 2, 3}).has_value());
        QCOMPARE(computed, (std::vector<std::int64_t>{4, 5, 6, 7, 7}));
    }
}

void TestDeviceDecoding::endOfTextTakesTheStepBack()
{
    for (const auto &kind : kinds) {
        const auto fakeModel = std::make_shared<fake::Model>(kind);
        fakeModel->script = {1, 2, 3, 29, 30, 0, 4, 5, 6, 7};
        Pair pair(fake::loaded(fakeModel));
        GenerationOptions options = tokens(7);
        options.ignoreEndOfText = false;
        QCOMPARE(pair.run({1, 2}, options), (Ids{3, 29, 30, 0}));
        QVERIFY(pair.reason == StopReason::EndOfText);
        QCOMPARE(pair.device().ids().size(), std::size_t(5));
        options.maxTokens = 4;
        QCOMPARE(pair.run({1, 2, 3, 29, 30, 0}, options), (Ids{4, 5, 6, 7}));
    }
}

void TestDeviceDecoding::cancelledBetweenTokens()
{
    for (const auto &kind : kinds) {
        const LoadedModelPtr model = fake::loaded(std::make_shared<fake::Model>(kind));
        for (const std::size_t after : {1u, 2u, 9u}) {
            Pair pair(model);
            const Ids cut = pair.run({1, 2, 3, 4}, tokens(30, 1.0), after);
            QVERIFY(pair.reason == StopReason::Cancelled);
            QCOMPARE(cut.size(), after);
            const Ids rest = pair.run(joined({1, 2, 3, 4}, cut), tokens(10, 1.0));
            Pair whole(model);
            QCOMPARE(joined(cut, rest), whole.run({1, 2, 3, 4}, tokens(static_cast<std::int64_t>(after) + 10, 1.0)));
        }
    }
}

void TestDeviceDecoding::cancelledInTheMiddleOfAStep()
{
    for (const auto &kind : kinds) {
        const auto fakeModel = std::make_shared<fake::Model>(kind);
        const LoadedModelPtr model = fake::loaded(fakeModel);
        Session session(model, ChooseOn::Device);
        const Ids prompt = {1, 2, 3, 4};
        session.run(prompt, tokens(1));
        fakeModel->delayPerLayer = std::chrono::milliseconds(30);
        std::stop_source stop;
        const std::jthread other([stop]() mutable {
            std::this_thread::sleep_for(std::chrono::milliseconds(200));
            stop.request_stop();
        });
        const Outcome cut = session.run(prompt, tokens(1000), stop);
        QVERIFY(cut.result && cut.result->reason == StopReason::Cancelled);
        const Ids &ids = cut.result->ids;
        QVERIFY(!ids.empty() && ids.size() < 20);
        QCOMPARE(session.runner().ids().size(), prompt.size() + ids.size() - 1);
        QCOMPARE(session.runner().state().position(), static_cast<std::int64_t>(session.runner().ids().size()));
        fakeModel->delayPerLayer = {};
        const Outcome rest = session.run(joined(prompt, ids), tokens(5));
        const auto count = static_cast<std::int64_t>(ids.size()) + 5;
        const Outcome whole = Session(model, ChooseOn::Host).run(prompt, tokens(count));
        QCOMPARE(joined(ids, rest.result->ids), whole.result->ids);
    }
}

void TestDeviceDecoding::longTextsLeaveSnapshots()
{
    for (const auto &kind : kinds) {
        const LoadedModelPtr model = fake::loaded(std::make_shared<fake::Model>(kind));
        Pair pair(model);
        const Ids prompt = {1, 2, 3, 4};
        Ids text = joined(prompt, pair.run(prompt, tokens(700, 1.0)));
        text.resize(600);
        text[590] = text[590] == 5 ? 6 : 5;
        const Outcome again = Session(model, ChooseOn::Host).run(text, tokens(9));
        QCOMPARE(pair.run(text, tokens(9)), again.result->ids);
        QVERIFY(pair.device().ids().size() == 608);
    }
}

void TestDeviceDecoding::theContextBecomesFull()
{
    const auto fakeModel = std::make_shared<fake::Model>(std::vector<bool>{false, false});
    ModelInfo info = fakeModel->describe();
    info.kvBytesPerToken = freeMemory("cpu") / 3 / 20;
    const auto tokenizer = std::make_shared<fake::LetterTokenizer>(60);
    const auto model = std::make_shared<const LoadedModel>(info, fakeModel, tokenizer, std::nullopt);
    Session session(model, ChooseOn::Device);
    const Outcome outcome = session.run({1, 2, 3}, tokens(1000));
    QVERIFY(outcome.result && outcome.result->reason == StopReason::ContextFull);
    QVERIFY(outcome.result->ids.size() > 5 && outcome.result->ids.size() < 40);
    QCOMPARE(session.runner().ids().size(), 3 + outcome.result->ids.size() - 1);
    QCOMPARE(fakeModel->tokensComputed.load(), static_cast<std::int64_t>(session.runner().ids().size()));
}

void TestDeviceDecoding::errorsComeAfterTheTokensBefore()
{
    for (const auto &kind : kinds) {
        for (const double temperature : {0.0, 1.0}) {
            const auto fakeModel = std::make_shared<fake::Model>(kind);
            fakeModel->nanAt = 6;
            const GenerationOptions options = tokens(10, temperature);
            Session host(fake::loaded(fakeModel), ChooseOn::Host), device(fake::loaded(fakeModel), ChooseOn::Device);
            const Outcome a = host.run({1, 2}, options), b = device.run({1, 2}, options);
            QVERIFY(!a.error.empty() && a.events.size() == 4);
            QCOMPARE(b.error, a.error);
            compareEvents(a, b);
            QCOMPARE(device.runner().ids().size(), std::size_t(6));
            QCOMPARE(device.runner().state().position(), std::int64_t(6));
            const NamedTensors here = host.runner().state().tensors(), there = device.runner().state().tensors();
            for (const auto &[name, tensor] : here)
                QVERIFY2(at::equal(there.at(name), tensor), name.c_str());
        }
    }
}

void TestDeviceDecoding::noMemoryForAStep()
{
    for (const auto &kind : kinds) {
        const auto failing = [&] {
            const auto model = std::make_shared<fake::Model>(kind);
            model->failAt = 7;
            model->lacksMemory = true;
            return fake::loaded(model);
        };
        Pair pair(failing(), failing());
        const Ids ids = pair.run({1, 2, 3}, tokens(20, 1.0));
        QVERIFY(pair.error.find("memory") != std::string::npos);
        QCOMPARE(ids.size(), std::size_t(5));
        QCOMPARE(pair.device().ids().size(), std::size_t(7));
        const Ids rest = pair.run(joined({1, 2, 3}, ids), tokens(6, 1.0));
        Pair whole(fake::loaded(std::make_shared<fake::Model>(kind)));
        QCOMPARE(joined(ids, rest), whole.run({1, 2, 3}, tokens(11, 1.0)));
    }
}

void TestDeviceDecoding::noTokensWanted()
{
    Pair pair(fake::loaded(std::make_shared<fake::Model>(std::vector<bool>{true, false})));
    QVERIFY(pair.run({1, 2, 3}, tokens(0)).empty());
    QVERIFY(pair.reason == StopReason::MaxTokens);
    QCOMPARE(pair.run({1, 2, 3}, tokens(1)).size(), std::size_t(1));
}

/// On the meta device there is nothing to read, and whoever tried would throw.
void TestDeviceDecoding::nothingIsReadFromTheDevice()
{
    QFETCH(QString, name);
    LoadOptions options;
    options.device = "meta";
    const auto model = loadModel(demoPath(name.toStdString()), options);
    QVERIFY2(model.has_value(), model ? "" : toString(model.error()).c_str());
    const c10::NoGradGuard noGrad;
    auto runner = std::move(*SequenceRunner::create((*model)->model()));
    QVERIFY(runner.feed(Ids{1, 2, 3, 4, 5}, false, {}, {}).has_value());
    const std::int64_t vocabulary = (*model)->info().vocabulary;
    const auto meta = at::TensorOptions().device(at::kMeta);
    SamplingOptions sampling;
    sampling.temperature = 0.8;
    sampling.topP = 0.9;
    sampling.repetitionPenalty = 1.1;
    at::Tensor logits = at::empty({vocabulary}, meta.dtype(at::kFloat));
    DeviceSampler sampler(sampling, runner.ids(), logits, vocabulary, 5);
    for (int step = 0; step < 3; ++step) {
        const auto fed = runner.feedAhead(sampler.choose(logits).id, {}, {});
        QVERIFY2(fed.has_value(), fed ? "" : toString(fed.error()).c_str());
        logits = *fed;
        QVERIFY(logits.is_meta() && logits.scalar_type() == at::kFloat);
        QVERIFY(logits.sizes() == at::IntArrayRef({vocabulary}));
        if (step < 2)
            runner.keepAhead(7);
    }
    runner.takeBack({});
    QCOMPARE(runner.ids().size(), std::size_t(7));
    QCOMPARE(runner.state().position(), std::int64_t(7));
}

QTEST_GUILESS_MAIN(TestDeviceDecoding)
#include "tst_devicedecoding.moc"
