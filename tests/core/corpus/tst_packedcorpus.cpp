// Sequences for training: every token predicted once an epoch, in another order each time, nothing held out among them.
#include "core/corpus/corpusfixtures.h"
#include "corpus/packedcorpus.h"

#include <QtTest>
#include <algorithm>
#include <set>

using namespace lens;
using namespace lens::corpustest;
using Ids = std::vector<TokenId>;

namespace {

/// `documents` documents of 10 tokens, ids counting up from 0.
TokenCachePtr countingCorpus(const Folder &folder, int documents)
{
    std::string lines;
    for (int d = 0; d < documents; ++d) {
        lines += "{\"ids\": [";
        for (int i = 0; i < 10; ++i)
            lines += (i ? "," : "") + std::to_string(d * 10 + i);
        lines += "]}\n";
    }
    CorpusOptions options{.files = {folder.write("counting.jsonl", lines)}};
    options.cacheFolder = folder.path("cache");
    const auto cache = TokenCache::open(options, ByteTokenizer(true, std::size_t(documents) * 10), "counting");
    return cache.value_or(nullptr);
}

std::vector<TokenId> firsts(const PackedCorpus &corpus, std::int64_t epoch)
{
    std::vector<TokenId> result;
    Ids out(corpus.sequenceLength() + 1);
    for (std::int64_t i = 0; i < corpus.trainingSequences(); ++i) {
        corpus.trainingSequence(epoch * corpus.trainingSequences() + i, out);
        result.push_back(out.front());
    }
    return result;
}

} // namespace

class TestPackedCorpus : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void permutation();
    void everyTokenOncePerEpoch();
    void ordersDiffer();
    void heldOut();
    void oneDocument();
    void nothingHeldOut();
    void refusals();
};

void TestPackedCorpus::permutation()
{
    for (const std::uint64_t size : {1, 2, 3, 4, 5, 16, 17, 100, 1023, 4097}) {
        std::set<std::uint64_t> seen;
        for (std::uint64_t i = 0; i < size; ++i)
            seen.insert(permuted(i, size, 7));
        QCOMPARE(seen.size(), std::size_t(size));
        QVERIFY(*seen.rbegin() == size - 1);
    }
    // Neighbours do not stay neighbours, and every place is reached from everywhere.
    constexpr int size = 1000;
    int neighbours = 0;
    double middle = 0;
    for (int i = 0; i + 1 < size; ++i) {
        const auto a = std::int64_t(permuted(i, size, 3)), b = std::int64_t(permuted(i + 1, size, 3));
        neighbours += std::abs(a - b) == 1;
        middle += i < size / 2 ? double(a) / (size / 2) : 0;
    }
    QVERIFY(neighbours < 20);
    QVERIFY(std::abs(middle - 500) < 60);
    QVERIFY(permuted(5, std::uint64_t(1) << 40, 1) < std::uint64_t(1) << 40);
}

void TestPackedCorpus::everyTokenOncePerEpoch()
{
    const Folder folder;
    const TokenCachePtr cache = countingCorpus(folder, 100);
    const auto corpus = PackedCorpus::create(cache, 0.1, 7, 11);
    QVERIFY(corpus.has_value());
    QCOMPARE(corpus->heldOutStart(), std::int64_t(900));
    QCOMPARE(corpus->trainingSequences(), std::int64_t(899 / 7));
    for (const std::int64_t epoch : {0, 1, 5}) {
        std::multiset<TokenId> predicted;
        Ids out(8);
        for (std::int64_t i = 0; i < corpus->trainingSequences(); ++i) {
            corpus->trainingSequence(epoch * corpus->trainingSequences() + i, out);
            for (int t = 1; t < 8; ++t) {
                QCOMPARE(out[t], out[t - 1] + 1);
                predicted.insert(out[t]);
            }
        }
        QCOMPARE(predicted.size(), std::size_t(899 / 7 * 7));
        QCOMPARE(*predicted.begin(), 1);
        QCOMPARE(*predicted.rbegin(), 899 / 7 * 7);
        QCOMPARE(std::set<TokenId>(predicted.begin(), predicted.end()).size(), predicted.size());
    }
}

void TestPackedCorpus::ordersDiffer()
{
    const Folder folder;
    const TokenCachePtr cache = countingCorpus(folder, 200);
    const auto one = PackedCorpus::create(cache, 0.02, 10, 1);
    const auto same = PackedCorpus::create(cache, 0.02, 10, 1);
    const auto other = PackedCorpus::create(cache, 0.02, 10, 2);
    QVERIFY(one && same && other);
    QCOMPARE(firsts(*one, 3), firsts(*same, 3));
    QVERIFY(firsts(*one, 0) != firsts(*one, 1));
    QVERIFY(firsts(*one, 0) != firsts(*other, 0));
    QVERIFY(firsts(*one, 1) != firsts(*other, 0));
    std::vector<TokenId> sorted = firsts(*one, 0);
    std::sort(sorted.begin(), sorted.end());
    QVERIFY(sorted != firsts(*one, 0));
}

void TestPackedCorpus::heldOut()
{
    const Folder folder;
    const auto corpus = PackedCorpus::create(countingCorpus(folder, 100), 0.05, 12, 0);
    QVERIFY(corpus.has_value());
    QCOMPARE(corpus->heldOutStart(), std::int64_t(950));
    QCOMPARE(corpus->heldOutSequences(), std::int64_t(49 / 12));
    Ids out(13);
    for (std::int64_t i = 0; i < corpus->heldOutSequences(); ++i) {
        corpus->heldOutSequence(i, out);
        QCOMPARE(out.front(), 950 + int(i) * 12);
    }
    for (const TokenId first : firsts(*corpus, 0))
        QVERIFY(first + 12 < 950);
}

void TestPackedCorpus::oneDocument()
{
    const Folder folder;
    CorpusOptions options{.files = {folder.write("book.txt", std::string(998, 'x'))}};
    options.cacheFolder = folder.path("cache");
    const auto cache = TokenCache::open(options, ByteTokenizer(), "book");
    QVERIFY(cache.has_value());
    const auto corpus = PackedCorpus::create(*cache, 0.1, 10, 0);
    QVERIFY(corpus.has_value());
    QCOMPARE(corpus->heldOutStart(), std::int64_t(900));
}

void TestPackedCorpus::nothingHeldOut()
{
    const Folder folder;
    const auto corpus = PackedCorpus::create(countingCorpus(folder, 3), 0, 29, 0);
    QVERIFY(corpus.has_value());
    QCOMPARE(corpus->trainingSequences(), std::int64_t(1));
    QCOMPARE(corpus->heldOutSequences(), std::int64_t(0));
}

void TestPackedCorpus::refusals()
{
    const Folder folder;
    const TokenCachePtr cache = countingCorpus(folder, 10);
    for (const auto &corpus : {PackedCorpus::create(cache, 0.1, 100, 0), PackedCorpus::create(cache, 0.1, 10, 0),
                               PackedCorpus::create(cache, 1.0, 5, 0), PackedCorpus::create(cache, -0.1, 5, 0),
                               PackedCorpus::create(cache, 0.1, 0, 0), PackedCorpus::create(nullptr, 0.1, 5, 0)})
        QCOMPARE(corpus.error().code, ErrorCode::InvalidArgument);
}

QTEST_GUILESS_MAIN(TestPackedCorpus)
#include "tst_packedcorpus.moc"
