// Tokens: batches of any size, the writer's timing, damaged blobs.
#include "store/codec.h"
#include "store/tokenwriter.h"
#include "storetest.h"

#include <cmath>
#include <limits>

using namespace lens;
using namespace lens::test;
using namespace std::chrono_literals;

namespace {

std::string randomText(std::mt19937 &random)
{
    std::string text(random() % 7, ' ');
    for (char &c : text)
        c = static_cast<char>(random());
    return text;
}

StoredToken randomToken(std::mt19937 &random)
{
    StoredToken token;
    token.id = static_cast<std::int32_t>(random());
    token.text = randomText(random);
    token.logprob = random() % 9 == 0 ? -std::numeric_limits<float>::infinity() : -std::ldexp(float(random()), -30);
    token.seconds = std::ldexp(double(random()), -20);
    token.stateBytes = (std::uint64_t(random()) << 32) | random();
    for (unsigned i = random() % 6; i > 0; --i)
        token.alternatives.push_back({static_cast<std::int32_t>(random()), randomText(random), -float(random() % 100)});
    return token;
}

} // namespace

class TestStoreTokens : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void anyBatchSizesReadBackIdentical()
    {
        ScratchWorkspace workspace;
        const Scene scene(*workspace);
        for (unsigned seed = 1; seed <= 12; ++seed) {
            std::mt19937 random(seed);
            std::vector<StoredToken> tokens(random() % 300);
            for (StoredToken &token : tokens)
                token = randomToken(random);
            const RowId id = must(workspace->generations().begin(scene.start(scene.left)));
            std::string text;
            for (std::size_t at = 0; at < tokens.size();) {
                const std::size_t size = std::min<std::size_t>(1 + random() % 90, tokens.size() - at);
                VERIFY_OK(workspace->generations().append(id, std::span(tokens).subspan(at, size)));
                at += size;
            }
            for (const StoredToken &token : tokens)
                text += token.text;
            QVERIFY(must(workspace->generations().tokens(id)) == tokens);
            QVERIFY(must(workspace->generations().get(id)).text == text);
            QCOMPARE(must(workspace->generations().get(id)).tokens, std::int64_t(tokens.size()));
        }
        QCOMPARE(must(workspace->check()), std::vector<std::string>());
    }

    void writerStoresAtTheInterval()
    {
        ScratchWorkspace workspace;
        const Scene scene(*workspace);
        auto &store = workspace->generations();
        const RowId id = must(store.begin(scene.start(scene.left)));
        TokenWriter writer(store, id);
        TokenWriter::Clock::time_point now{};
        for (int i = 0; i < 60; ++i, now += 70ms) {
            VERIFY_OK(writer.append(someToken(i), now));
            const auto stored = must(store.get(id)).tokens;
            QCOMPARE(stored + std::int64_t(writer.waiting()), i + 1);
            const int waiting = int(writer.waiting());
            QVERIFY2((waiting - 1) * 70ms < 500ms, "a token waits longer than the interval");
        }
        const auto waiting = writer.waiting();
        QVERIFY(waiting > 0);
        VERIFY_OK(writer.flushIfDue(now));
        QCOMPARE(writer.waiting(), waiting);
        VERIFY_OK(writer.flushIfDue(now + 500ms));
        QCOMPARE(writer.waiting(), size_t(0));
        VERIFY_OK(writer.append(someToken(60), now));
        VERIFY_OK(writer.append(HeadFrame{0, 1, 1, 2, {1, 2}}, now));
        VERIFY_OK(writer.finish({}));
        QCOMPARE(must(store.get(id)).tokens, 61);
        QCOMPARE(must(workspace->probes().heads(id, HeadQuantity::StateNorm)).values.size(), size_t(2));
        QVERIFY(must(store.get(id)).status == GenerationStatus::Complete);
    }

    void abandonedWriterStoresWhatWaits()
    {
        ScratchWorkspace workspace;
        const Scene scene(*workspace);
        const RowId id = must(workspace->generations().begin(scene.start(scene.left)));
        {
            TokenWriter writer(workspace->generations(), id);
            VERIFY_OK(writer.append(someToken(0)));
            const TokenWriter moved(std::move(writer));
        }
        QCOMPARE(must(workspace->generations().get(id)).tokens, 1);
    }

    void notANumberSurvives()
    {
        const std::vector<float> values{1, std::numeric_limits<float>::quiet_NaN(), -0.f,
                                        std::numeric_limits<float>::infinity()};
        const auto read = must(decodeFloats(must(encodeFloats(values))));
        QCOMPARE(std::memcmp(read.data(), values.data(), values.size() * sizeof(float)), 0);
    }

    void damagedBlobsAreErrors()
    {
        const Bytes tokens = must(encodeTokens(someTokens(40)));
        StoredComparison comparison;
        comparison.ids = {1, 2, 3};
        comparison.values.kl = {1, 2};
        const Bytes compared = must(encodeComparison(comparison));
        const Bytes floats = must(encodeFloats(std::vector<float>(100, 2.5f)));
        std::mt19937 random(7);
        int refused = 0;
        for (int i = 0; i < 3000; ++i) {
            for (Bytes blob : {tokens, compared, floats}) {
                if (i % 3 == 0)
                    blob.resize(random() % blob.size());
                else
                    blob[random() % blob.size()] ^= std::byte(1 + random() % 255);
                refused += !decodeTokens(blob) + !decodeComparison(blob) + !decodeFloats(blob) + !decodeIds(blob);
            }
        }
        QVERIFY(refused > 20000);
        VERIFY_FAILS(decodeTokens({}), ErrorCode::Malformed);
        VERIFY_FAILS(decodeComparison(tokens), ErrorCode::Malformed);
    }

    void damagedContentBehindAValidFrame()
    {
        // The checksum does not protect against a writer that was wrong: the layout itself is checked, too.
        std::mt19937 random(3);
        for (int i = 0; i < 3000; ++i) {
            std::vector<std::int32_t> noise(1 + random() % 60);
            for (std::int32_t &value : noise)
                value = static_cast<std::int32_t>(random());
            noise[0] = (noise[0] & ~0xff) | 1;
            const Bytes blob = must(encodeIds(noise));
            static_cast<void>(decodeTokens(blob));
            static_cast<void>(decodeComparison(blob));
        }
    }
};

QTEST_GUILESS_MAIN(TestStoreTokens)
#include "tst_storetokens.moc"
