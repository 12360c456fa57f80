#include "fakemodel.h"

#include <QTemporaryDir>
#include <QtTest>

#include <cmath>
#include <random>

using namespace lens;

namespace {

using Ids = std::vector<TokenId>;
using Clock = std::chrono::steady_clock;

const std::vector<std::vector<bool>> kinds = {{true, true}, {false, false}, {true, false}};

std::shared_ptr<fake::Model> makeModel(std::vector<bool> layers)
{
    return std::make_shared<fake::Model>(std::move(layers));
}

std::unique_ptr<DecodeSession> open(const LoadedModelPtr &model)
{
    return std::move(*DecodeSession::create(model));
}

Ids randomIds(std::mt19937 &engine, std::size_t count)
{
    Ids ids;
    for (std::size_t i = 0; i < count; ++i)
        ids.push_back(static_cast<TokenId>(2 + engine() % 50));
    return ids;
}

GenerationOptions tokens(std::int64_t count, double temperature = 0)
{
    GenerationOptions options;
    options.maxTokens = count;
    options.sampling.temperature = temperature;
    options.ignoreEndOfText = true;
    return options;
}

GenerationResult run(DecodeSession &session, const Ids &prompt, const GenerationOptions &options,
                     const GenerationCallbacks &callbacks = {}, std::stop_token stop = {})
{
    auto result = session.generate(prompt, options, callbacks, std::move(stop));
    if (!result)
        qFatal("%s", toString(result.error()).c_str());
    return *result;
}

Ids joined(Ids first, const Ids &second)
{
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

} // namespace

class TestDecodeSession : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void reuseNeverChangesTheText();
    void continuingEqualsOneLongCall();
    void regeneratingReusesThePrompt();
    void longPromptsAreReusedFromSnapshots();
    void cancelDuringPrefillKeepsTheSessionValid();
    void cancelDuringDecodeKeepsTheSessionValid();
    void anErrorInTheMiddleKeepsTheSessionValid();
    void noMemoryKeepsTheConversation();
    void noMemoryForASnapshotCostsNothing();
    void stopStringsAcrossTokens();
    void endOfTextAndItsBeingIgnored();
    void halfCharactersAreNeverShown();
    void eventsDescribeTheModelsOwnDistribution();
    void idsBeyondTheTokenizerAreNeverChosen();
    void nanIsAnErrorWithItsPosition();
    void badPromptsAreRefused();
    void stateNormsArriveInOrder();
    void stateCanBeSavedAndRestored();
    void twoSessionsInTwoThreads();
    void clearForgetsEverything();
};

void TestDecodeSession::reuseNeverChangesTheText()
{
    std::mt19937 engine(1);
    for (const auto &kind : kinds) {
        const auto model = fake::loaded(makeModel(kind));
        const auto reused = open(model);
        Ids last = randomIds(engine, 5);
        for (int round = 0; round < 60; ++round) {
            // Sometimes something new, sometimes an earlier text cut anywhere and continued.
            Ids prompt = last;
            if (engine() % 4 == 0)
                prompt = randomIds(engine, 1 + engine() % 700);
            else
                prompt.resize(1 + engine() % prompt.size());
            prompt = joined(prompt, randomIds(engine, engine() % 4));
            GenerationOptions options = tokens(1 + static_cast<std::int64_t>(engine() % 12), engine() % 2 ? 0.9 : 0);
            options.sampling.seed = engine();
            const GenerationResult one = run(*reused, prompt, options);
            const GenerationResult other = run(*open(model), prompt, options);
            QCOMPARE(one.ids, other.ids);
            QCOMPARE(one.text, other.text);
            QCOMPARE(other.reusedTokens, 0);
            last = joined(prompt, one.ids);
        }
    }
}

void TestDecodeSession::continuingEqualsOneLongCall()
{
    for (const auto &kind : kinds) {
        const auto model = fake::loaded(makeModel(kind));
        const Ids prompt = {1, 2, 3};
        GenerationOptions options = tokens(20, 1.0);
        options.sampling.seed = 99;
        const GenerationResult whole = run(*open(model), prompt, options);
        const auto session = open(model);
        options.maxTokens = 8;
        const GenerationResult first = run(*session, prompt, options);
        options.maxTokens = 12;
        const GenerationResult second = run(*session, joined(prompt, first.ids), options);
        QCOMPARE(joined(first.ids, second.ids), whole.ids);
        QCOMPARE(first.text + second.text, whole.text);
        QCOMPARE(second.reusedTokens, 10);
    }
}

void TestDecodeSession::regeneratingReusesThePrompt()
{
    std::mt19937 engine(2);
    for (const auto &kind : kinds) {
        const auto fakeModel = makeModel(kind);
        const auto session = open(fake::loaded(fakeModel));
        const Ids prompt = randomIds(engine, 100);
        const GenerationResult first = run(*session, prompt, tokens(10));
        const std::int64_t before = fakeModel->tokensComputed;
        const GenerationResult again = run(*session, prompt, tokens(10));
        QCOMPARE(again.ids, first.ids);
        QVERIFY(again.reusedTokens >= 99);
        QVERIFY(fakeModel->tokensComputed - before <= 11);
    }
}

void TestDecodeSession::longPromptsAreReusedFromSnapshots()
{
    std::mt19937 engine(3);
    const auto session = open(fake::loaded(makeModel({true, true})));
    const Ids prompt = randomIds(engine, 2000);
    run(*session, prompt, tokens(3));
    Ids edited = prompt;
    edited[1500] = edited[1500] == 5 ? 6 : 5;
    const GenerationResult result = run(*session, edited, tokens(3));
    QVERIFY(result.reusedTokens > 1000 && result.reusedTokens <= 1500);
}

void TestDecodeSession::cancelDuringPrefillKeepsTheSessionValid()
{
    std::mt19937 engine(4);
    for (const auto &kind : kinds) {
        const auto fakeModel = makeModel(kind);
        fakeModel->delayPerLayer = std::chrono::milliseconds(20);
        const auto model = fake::loaded(fakeModel);
        const auto session = open(model);
        const Ids prompt = randomIds(engine, 3000);
        for (const int wait : {0, 10, 60, 110}) {
            std::stop_source stop;
            Clock::time_point asked;
            std::jthread other([&] {
                std::this_thread::sleep_for(std::chrono::milliseconds(wait));
                asked = Clock::now();
                stop.request_stop();
            });
            const GenerationResult result = run(*session, prompt, tokens(5), {}, stop.get_token());
            other.join();
            QVERIFY(result.reason == StopReason::Cancelled);
            QVERIFY(result.ids.empty());
            QVERIFY(Clock::now() - asked < std::chrono::milliseconds(200));
            QVERIFY(std::ranges::equal(session->tokens(), std::span(prompt).first(session->tokens().size())));
        }
        fakeModel->delayPerLayer = {};
        const GenerationResult after = run(*session, prompt, tokens(5));
        QCOMPARE(after.ids, run(*open(model), prompt, tokens(5)).ids);
    }
}

void TestDecodeSession::cancelDuringDecodeKeepsTheSessionValid()
{
    for (const auto &kind : kinds) {
        const auto fakeModel = makeModel(kind);
        const auto model = fake::loaded(fakeModel);
        const auto session = open(model);
        const Ids prompt = {1, 2, 3, 4};
        std::stop_source stop;
        GenerationCallbacks callbacks;
        int events = 0;
        callbacks.token = [&](const TokenEvent &) {
            if (++events == 5)
                stop.request_stop();
        };
        const GenerationResult cut = run(*session, prompt, tokens(100), callbacks, stop.get_token());
        QVERIFY(cut.reason == StopReason::Cancelled);
        QCOMPARE(cut.ids.size(), std::size_t(5));
        const GenerationResult rest = run(*session, joined(prompt, cut.ids), tokens(5));
        QCOMPARE(joined(cut.ids, rest.ids), run(*open(model), prompt, tokens(10)).ids);
    }
}

void TestDecodeSession::anErrorInTheMiddleKeepsTheSessionValid()
{
    std::mt19937 engine(5);
    for (const auto &kind : kinds) {
        const auto fakeModel = makeModel(kind);
        fakeModel->failAt = 600;
        const auto model = fake::loaded(fakeModel);
        const auto session = open(model);
        const Ids prompt = randomIds(engine, 900);
        const auto failed = session->generate(prompt, tokens(3), {}, {});
        QVERIFY(!failed);
        QVERIFY(!failed.error().where.empty());
        QCOMPARE(session->tokens().size(), std::size_t(512));
        QCOMPARE(run(*session, prompt, tokens(3)).ids, run(*open(model), prompt, tokens(3)).ids);
    }
}

void TestDecodeSession::noMemoryKeepsTheConversation()
{
    for (const auto &kind : kinds) {
        const auto fakeModel = makeModel(kind);
        fakeModel->failAt = 310;
        fakeModel->lacksMemory = true;
        const auto model = fake::loaded(fakeModel);
        const auto session = open(model);
        std::mt19937 engine(6);
        const Ids prompt = randomIds(engine, 300);
        Ids ids;
        GenerationCallbacks callbacks;
        callbacks.token = [&](const TokenEvent &event) { ids.push_back(event.id); };
        const auto failed = session->generate(prompt, tokens(50, 1.0), callbacks, {});
        QVERIFY(!failed && failed.error().code == ErrorCode::OutOfMemory);
        QCOMPARE(ids.size(), std::size_t(11));
        QCOMPARE(session->tokens().size(), std::size_t(310));
        const GenerationResult rest = run(*session, joined(prompt, ids), tokens(39, 1.0));
        QCOMPARE(rest.reusedTokens, std::int64_t(310));
        QCOMPARE(joined(ids, rest.ids), run(*open(model), prompt, tokens(50, 1.0)).ids);
    }
}

void TestDecodeSession::noMemoryForASnapshotCostsNothing()
{
    const auto fakeModel = makeModel({true, false});
    const auto model = fake::loaded(fakeModel);
    const auto session = open(model);
    GenerationCallbacks callbacks;
    callbacks.token = [&](const TokenEvent &event) { *fakeModel->noRoomForCopies = event.position == 7; };
    const GenerationResult first = run(*session, {1, 2, 3}, tokens(5), callbacks);
    QVERIFY(*fakeModel->noRoomForCopies);
    QCOMPARE(first.ids.size(), std::size_t(5));

    // Nor can a token be fed without a way back; the conversation waits for better times.
    const Ids more = joined({1, 2, 3}, first.ids);
    QVERIFY(session->generate(more, tokens(5), {}, {}).error().code == ErrorCode::OutOfMemory);
    QCOMPARE(session->tokens().size(), std::size_t(7));
    *fakeModel->noRoomForCopies = false;
    QCOMPARE(run(*session, more, tokens(5)).ids, run(*open(model), more, tokens(5)).ids);
}

void TestDecodeSession::stopStringsAcrossTokens()
{
    const auto fakeModel = makeModel({true, false});
    fakeModel->script = {1, 2, 3, 4, 5, 6, 7, 8};  // the text continues "bcdefg" after "a"
    const auto model = fake::loaded(fakeModel);
    GenerationOptions options = tokens(7);
    options.stopStrings = {"def", "zz"};
    std::string shown;
    GenerationCallbacks callbacks;
    callbacks.token = [&](const TokenEvent &event) {
        shown += event.text;
        QVERIFY(shown.find('d') == std::string::npos);
    };
    const GenerationResult result = run(*open(model), {1, 2}, options, callbacks);
    QVERIFY(result.reason == StopReason::StopString);
    QCOMPARE(result.text, std::string("bc"));
    QCOMPARE(shown, result.text);
    QCOMPARE(result.ids, (Ids{3, 4, 5, 6, 7}));

    // Held back, but not a stop string in the end.
    options.stopStrings = {"defx"};
    options.maxTokens = 4;
    const GenerationResult other = run(*open(model), {1, 2}, options);
    QCOMPARE(other.text, std::string("bcde"));
    QVERIFY(other.reason == StopReason::MaxTokens);
}

void TestDecodeSession::endOfTextAndItsBeingIgnored()
{
    const auto fakeModel = makeModel({false});
    fakeModel->script = {1, 2, 3, 0, 4, 5};
    const auto model = fake::loaded(fakeModel);
    GenerationOptions options = tokens(4);
    options.ignoreEndOfText = false;
    const GenerationResult ended = run(*open(model), {1, 2}, options);
    QVERIFY(ended.reason == StopReason::EndOfText);
    QCOMPARE(ended.ids, (Ids{3, 0}));
    QCOMPARE(ended.text, std::string("b"));
    options.ignoreEndOfText = true;
    QCOMPARE(run(*open(model), {1, 2}, options).ids, (Ids{3, 0, 4, 5}));
}

void TestDecodeSession::halfCharactersAreNeverShown()
{
    const auto fakeModel = makeModel({true});
    fakeModel->script = {1, 2, 29, 30, 3, 29};
    std::vector<std::string> shown;
    GenerationCallbacks callbacks;
    callbacks.token = [&](const TokenEvent &event) { shown.push_back(event.text); };
    const GenerationResult result = run(*open(fake::loaded(fakeModel)), {1, 2}, tokens(4), callbacks);
    QCOMPARE(shown, (std::vector<std::string>{"", "\u00e9", "b", "\uFFFD"}));
    QCOMPARE(result.text, std::string("\u00e9b\uFFFD"));
}

void TestDecodeSession::eventsDescribeTheModelsOwnDistribution()
{
    const auto model = fake::loaded(makeModel({true, true}), 64);
    GenerationOptions options = tokens(6, 3.0);
    options.alternatives = 64;
    options.sampling.repetitionPenalty = 1.7;
    std::int64_t position = 3;
    double lastSeconds = 0;
    GenerationCallbacks callbacks;
    callbacks.token = [&](const TokenEvent &event) {
        QCOMPARE(event.position, position++);
        QVERIFY(event.seconds >= lastSeconds);
        lastSeconds = event.seconds;
        QVERIFY(event.stateBytes > 0);
        QCOMPARE(event.alternatives.size(), std::size_t(64));
        double sum = 0;
        bool found = false;
        for (std::size_t i = 0; i < event.alternatives.size(); ++i) {
            const TokenAlternative &alternative = event.alternatives[i];
            sum += std::exp(alternative.logprob);
            QVERIFY(i == 0 || alternative.logprob <= event.alternatives[i - 1].logprob);
            if (alternative.id == event.id) {
                QCOMPARE(alternative.logprob, event.logprob);
                found = true;
            }
        }
        QVERIFY(found);
        QVERIFY(std::abs(sum - 1) < 1e-4);
    };
    const GenerationResult result = run(*open(model), {1, 2, 3}, options, callbacks);
    QCOMPARE(result.ids.size(), std::size_t(6));
    QVERIFY(result.firstTokenSeconds <= lastSeconds);
    QVERIFY(result.tokensPerSecond() > 0);
}

void TestDecodeSession::idsBeyondTheTokenizerAreNeverChosen()
{
    const auto fakeModel = makeModel({true});
    const auto model = fake::loaded(fakeModel, 20);
    for (const double temperature : {0.0, 5.0}) {
        const GenerationResult result = run(*open(model), {1, 2}, tokens(200, temperature));
        for (const TokenId id : result.ids)
            QVERIFY(id < 20);
    }
}

void TestDecodeSession::nanIsAnErrorWithItsPosition()
{
    const auto fakeModel = makeModel({true, false});
    fakeModel->nanAt = 6;
    const auto session = open(fake::loaded(fakeModel));
    const auto result = session->generate(Ids{1, 2}, tokens(10), {}, {});
    QVERIFY(!result);
    QVERIFY(result.error().code == ErrorCode::Internal);
    QVERIFY(result.error().where.find('6') != std::string::npos);
}

void TestDecodeSession::badPromptsAreRefused()
{
    const auto session = open(fake::loaded(makeModel({true})));
    for (const Ids &prompt : {Ids{}, Ids{1, -1}, Ids{1, 64}})
        QVERIFY(session->generate(prompt, tokens(1), {}, {}).error().code == ErrorCode::InvalidArgument);
    QVERIFY(DecodeSession::create(nullptr).error().code == ErrorCode::InvalidArgument);
    QCOMPARE(run(*session, {1, 2}, tokens(0)).ids.size(), std::size_t(0));
}

void TestDecodeSession::stateNormsArriveInOrder()
{
    const auto session = open(fake::loaded(makeModel({true, false})));
    std::mt19937 engine(9);
    const Ids prompt = randomIds(engine, 600);
    std::int64_t next = 0;
    GenerationCallbacks callbacks;
    callbacks.stateNorms = [&](const HeadFrame &frame) {
        QCOMPARE(frame.firstToken, next);
        QCOMPARE(frame.layers, 2);
        QCOMPARE(frame.heads, 2);
        QCOMPARE(frame.values.size(), static_cast<std::size_t>(frame.tokens * 4));
        for (std::int64_t t = 0; t < frame.tokens; ++t) {
            for (std::size_t head = 0; head < 2; ++head) {
                const auto row = static_cast<std::size_t>(t) * 4;
                QCOMPARE(frame.values[row + head], static_cast<float>(frame.firstToken + t));
                QVERIFY(std::isnan(frame.values[row + 2 + head]));
            }
        }
        next += frame.tokens;
    };
    run(*session, prompt, tokens(30), callbacks);
    QCOMPARE(next, 629);  // the last token is chosen but not fed
}

void TestDecodeSession::stateCanBeSavedAndRestored()
{
    QTemporaryDir folder;
    const std::string file = folder.filePath("state.safetensors").toStdString();
    std::mt19937 engine(10);
    for (const auto &kind : kinds) {
        const auto model = fake::loaded(makeModel(kind));
        const auto session = open(model);
        const Ids prompt = randomIds(engine, 300);
        const GenerationResult first = run(*session, prompt, tokens(5, 1.0));
        const auto saved = session->saveState(file);
        QVERIFY2(saved, saved ? "" : toString(saved.error()).c_str());

        const auto restored = open(model);
        const auto loaded = restored->restoreState(file);
        QVERIFY2(loaded, loaded ? "" : toString(loaded.error()).c_str());
        QVERIFY(std::ranges::equal(restored->tokens(), session->tokens()));
        QCOMPARE(restored->stateBytes(), session->stateBytes());
        const Ids longer = joined(prompt, first.ids);
        const GenerationResult one = run(*restored, longer, tokens(9, 1.0));
        QCOMPARE(one.reusedTokens, 304);
        QCOMPARE(one.ids, run(*session, longer, tokens(9, 1.0)).ids);

        const auto stranger = makeModel(kind);
        stranger->salt = 1;
        const auto other = open(fake::loaded(stranger));
        QVERIFY(other->restoreState(file).error().code == ErrorCode::Mismatch);
        QVERIFY(other->tokens().empty());
    }
    QVERIFY(open(fake::loaded(makeModel({true})))->restoreState("/nowhere/at/all").error().code == ErrorCode::NotFound);
}

void TestDecodeSession::twoSessionsInTwoThreads()
{
    std::mt19937 engine(11);
    for (const auto &kind : kinds) {
        const auto model = fake::loaded(makeModel(kind));
        const Ids prompts[] = {randomIds(engine, 400), randomIds(engine, 500)};
        Ids results[2];
        {
            std::vector<std::jthread> threads;
            for (int i = 0; i < 2; ++i)
                threads.emplace_back([&, i] { results[i] = run(*open(model), prompts[i], tokens(50)).ids; });
        }
        for (int i = 0; i < 2; ++i)
            QCOMPARE(results[i], run(*open(model), prompts[i], tokens(50)).ids);
    }
}

void TestDecodeSession::clearForgetsEverything()
{
    const auto session = open(fake::loaded(makeModel({true, false})));
    run(*session, {1, 2, 3}, tokens(4));
    session->clear();
    QVERIFY(session->tokens().empty());
    QCOMPARE(run(*session, {1, 2, 3}, tokens(4)).reusedTokens, 0);
}

QTEST_GUILESS_MAIN(TestDecodeSession)
#include "tst_decodesession.moc"
