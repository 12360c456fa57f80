// The tokenised text: what it holds, when it is made again, and what a damaged or half-made file leads to.
#include "core/corpus/corpusfixtures.h"

#include <QtTest>
#include <chrono>
#include <fcntl.h>
#include <sys/file.h>
#include <thread>
#include <unistd.h>

using namespace lens;
using namespace lens::corpustest;
using Ids = std::vector<TokenId>;

namespace {

constexpr const char *ab = "a\n<|endoftext|>\nb\n";
const Ids abIds = {1, 3 + 'a', 2, 1, 3 + 'b', 2};

struct Opening {
    Result<TokenCachePtr> cache;
    bool tokenised = false;
};

class TestTokenCache : public QObject {
    Q_OBJECT

    Opening open(const std::vector<std::string> &files, const Tokenizer &tokenizer = ByteTokenizer(),
                 std::stop_token stop = {}) const
    {
        bool tokenised = false;
        CorpusOptions options{.files = files};
        options.cacheFolder = m_folder->path("cache");
        auto cache = TokenCache::open(options, tokenizer, fingerprint(tokenizer), stop,
                                      [&](const Progress &) { tokenised = true; });
        return {std::move(cache), tokenised};
    }

    std::unique_ptr<Folder> m_folder;

private Q_SLOTS:
    void init() { m_folder = std::make_unique<Folder>(); }
    void content();
    void specialTokens();
    void wideIds();
    void idsOfTheFile();
    void longDocuments();
    void manyDocumentsKeepTheirOrder();
    void madeOnce();
    void otherTextIsAnotherCache();
    void damagedIsMadeAnew_data();
    void damagedIsMadeAnew();
    void whatAKilledProcessLeft();
    void failureLeavesNothing();
    void cancel();
    void waitsForAnotherProcess();
    void fingerprints();
    void realTokenizer();
};

} // namespace

void TestTokenCache::content()
{
    const Opening opened = open({m_folder->write("a.txt", ab), m_folder->write("b.jsonl", "{\"text\": \"cd\"}")});
    QVERIFY(opened.cache.has_value());
    const TokenCache &cache = **opened.cache;
    Ids expected = abIds;
    expected.insert(expected.end(), {1, 3 + 'c', 3 + 'd', 2});
    QCOMPARE(all(cache), expected);
    QCOMPARE(cache.tokens(), std::int64_t(10));
    QCOMPARE(cache.documents(), std::int64_t(3));
    QCOMPARE(cache.documentStart(0), std::int64_t(0));
    QCOMPARE(cache.documentStart(2), std::int64_t(6));
    QCOMPARE(cache.documentStart(3), std::int64_t(10));
    QCOMPARE(cache.textBytes(), std::uint64_t(4));
    Ids part(3);
    cache.copy(4, part);
    QCOMPARE(part, (Ids{3 + 'b', 2, 1}));
}

void TestTokenCache::specialTokens()
{
    const Opening opened = open({m_folder->write("a.txt", ab)}, ByteTokenizer(false));
    QVERIFY(opened.cache.has_value());
    QCOMPARE(all(**opened.cache), (Ids{3 + 'a', 2, 3 + 'b', 2}));
}

void TestTokenCache::wideIds()
{
    const ByteTokenizer tokenizer(true, 70000);
    const std::string file = m_folder->write("a.jsonl", "{\"ids\": [69999, 1]}\n{\"text\": \"a\"}\n{\"ids\":[3]}");
    const Opening opened = open({file}, tokenizer);
    QVERIFY(opened.cache.has_value());
    QCOMPARE(all(**opened.cache), (Ids{69999, 1, 1, 3 + 'a', 2, 3}));
    QCOMPARE((*opened.cache)->documentStart(2), std::int64_t(5));
}

void TestTokenCache::idsOfTheFile()
{
    const Opening opened = open({m_folder->write("a.jsonl", "{\"ids\": [100, 2, 101]}\n{\"ids\": [2], \"text\": \"xyz\"}\n")});
    QVERIFY(opened.cache.has_value());
    QCOMPARE(all(**opened.cache), (Ids{100, 2, 101, 2}));
    QCOMPARE((*opened.cache)->textBytes(), std::uint64_t(2 + 3));

    const Opening foreign = open({m_folder->write("b.jsonl", "{\"ids\": [1]}\n{\"ids\": [1, 259]}\n")});
    QCOMPARE(foreign.cache.error().code, ErrorCode::Mismatch);
    QVERIFY(foreign.cache.error().where.find("line 2") != std::string::npos);
}

void TestTokenCache::longDocuments()
{
    std::string text;
    while (text.size() < 1'500'000)
        text += text.size() < 700'000 ? "some words of a long line\n" : "\xc3\xa9\xe2\x82\xac";
    const Opening opened = open({m_folder->write("a.txt", text)});
    QVERIFY(opened.cache.has_value());
    QCOMPARE((*opened.cache)->documents(), std::int64_t(1));
    Ids expected = {1};
    for (const unsigned char c : text)
        expected.push_back(3 + c);
    expected.push_back(2);
    QVERIFY(all(**opened.cache) == expected);
}

void TestTokenCache::manyDocumentsKeepTheirOrder()
{
    std::string text;
    Ids expected;
    for (int i = 0; i < 3000; ++i) {
        const std::string document = std::to_string(i) + std::string(i * 37 % 4000, 'x');
        text += document + "\n<|endoftext|>\n";
        expected.push_back(1);
        for (const unsigned char c : document)
            expected.push_back(3 + c);
        expected.push_back(2);
    }
    const Opening opened = open({m_folder->write("a.txt", text)});
    QVERIFY(opened.cache.has_value());
    QVERIFY(all(**opened.cache) == expected);
    QCOMPARE((*opened.cache)->documents(), std::int64_t(3000));
}

void TestTokenCache::madeOnce()
{
    const std::string file = m_folder->write("a.txt", ab);
    QVERIFY(open({file}).tokenised);
    const Opening again = open({file});
    QVERIFY(!again.tokenised);
    QCOMPARE(all(**again.cache), abIds);
    QVERIFY(!open({m_folder->write("copy.txt", ab)}).tokenised);
}

void TestTokenCache::otherTextIsAnotherCache()
{
    const std::string file = m_folder->write("a.txt", ab);
    QVERIFY(open({file}).tokenised);
    m_folder->write("a.txt", "c");
    const Opening changed = open({file});
    QVERIFY(changed.tokenised);
    QCOMPARE(all(**changed.cache), (Ids{1, 3 + 'c', 2}));
    QVERIFY(open({file}, ByteTokenizer(false)).tokenised);
    QVERIFY(open({file, file}).tokenised);
    QVERIFY(open({m_folder->write("c.jsonl", "{\"text\": \"c\"}")}).tokenised);
}

void TestTokenCache::damagedIsMadeAnew_data()
{
    QTest::addColumn<int>("damage");
    QTest::newRow("emptied") << 0;
    QTest::newRow("cut") << 1;
    QTest::newRow("grown") << 2;
    QTest::newRow("magic") << 3;
    QTest::newRow("counts") << 4;
    QTest::newRow("starts") << 5;
}

void TestTokenCache::damagedIsMadeAnew()
{
    QFETCH(int, damage);
    const std::string source = m_folder->write("a.txt", ab);
    const std::string name = (*open({source}).cache)->file().string();
    QFile file(QString::fromStdString(name));
    QVERIFY(file.open(QIODevice::ReadWrite));
    QByteArray content = file.readAll();
    const int end = int(content.size());
    switch (damage) {
    case 0: content.clear(); break;
    case 1: content.chop(9); break;
    case 2: content.append(16, '\0'); break;
    case 3: content[end - 1] = 'x'; break;
    case 4: content[end - 73] = '\x7f'; break;  // the highest byte of the number of tokens
    case 5: content[end - 80 - 16] = '\x70'; break;
    }
    file.resize(0);
    file.seek(0);
    file.write(content);
    file.close();
    const Opening again = open({source});
    QVERIFY(again.tokenised);
    QCOMPARE(all(**again.cache), abIds);
    QVERIFY(!open({source}).tokenised);
}

void TestTokenCache::whatAKilledProcessLeft()
{
    const std::string source = m_folder->write("a.txt", ab);
    const std::string name = (*open({source}).cache)->file().filename().string();
    QVERIFY(QFile::rename(QString::fromStdString(m_folder->path("cache/" + name)),
                          QString::fromStdString(m_folder->path("cache/." + name + ".123.part"))));
    const Opening again = open({source});
    QVERIFY(again.tokenised);
    QCOMPARE(all(**again.cache), abIds);
    QVERIFY(m_folder->files("cache/*.part").isEmpty());
    QVERIFY(!QFile::exists(QString::fromStdString(m_folder->path("cache/." + name + ".123.part"))));
}

void TestTokenCache::failureLeavesNothing()
{
    const Opening opened = open({m_folder->write("a.txt", ab), m_folder->write("b.jsonl", "{\"text\": \"a\"}\n{")});
    QCOMPARE(opened.cache.error().code, ErrorCode::Malformed);
    const QDir cache(QString::fromStdString(m_folder->path("cache")));
    for (const QString &name : cache.entryList(QDir::Files | QDir::Hidden))
        QVERIFY2(name.endsWith(".lock"), qPrintable(name));
    QCOMPARE(open({m_folder->write("c.txt", "\n \n")}).cache.error().code, ErrorCode::InvalidArgument);
    QCOMPARE(open({}).cache.error().code, ErrorCode::InvalidArgument);
    QCOMPARE(open({m_folder->path("none")}).cache.error().code, ErrorCode::NotFound);
}

void TestTokenCache::cancel()
{
    std::string text;
    for (int i = 0; i < 200000; ++i)
        text += "some document of its own\n<|endoftext|>\n";
    const std::string file = m_folder->write("a.txt", text);
    std::stop_source stop;
    CorpusOptions options{.files = {file}};
    options.cacheFolder = m_folder->path("cache");
    const auto cancelled = TokenCache::open(options, ByteTokenizer(), "f", stop.get_token(),
                                            [&](const Progress &progress) {
                                                QVERIFY(progress.done <= progress.total && progress.total > 0);
                                                stop.request_stop();
                                            });
    QCOMPARE(cancelled.error().code, ErrorCode::Cancelled);
    const auto done = TokenCache::open(options, ByteTokenizer(), "f");
    QVERIFY(done.has_value());
    QCOMPARE((*done)->documents(), std::int64_t(200000));
}

void TestTokenCache::waitsForAnotherProcess()
{
    const std::string source = m_folder->write("a.txt", ab);
    std::string name = (*open({source}).cache)->file().string();
    QFile::remove(QString::fromStdString(name));
    name.replace(name.size() - 6, 6, "lock");
    const int lock = ::open(name.c_str(), O_RDWR);
    QVERIFY(lock >= 0 && ::flock(lock, LOCK_EX) == 0);
    std::stop_source stop;
    std::jthread stopper([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(150));
        stop.request_stop();
    });
    QCOMPARE(open({source}, ByteTokenizer(), stop.get_token()).cache.error().code, ErrorCode::Cancelled);
    ::close(lock);
    QVERIFY(open({source}).cache.has_value());
}

void TestTokenCache::fingerprints()
{
    QCOMPARE(fingerprint(ByteTokenizer()), fingerprint(ByteTokenizer()));
    QVERIFY(fingerprint(ByteTokenizer()) != fingerprint(ByteTokenizer(false)));
    QVERIFY(fingerprint(ByteTokenizer()) != fingerprint(ByteTokenizer(true, 260)));
}

void TestTokenCache::realTokenizer()
{
    const auto tokenizer = loadTokenizerFile(SUPRALENS_TEST_DATA "/tokenizers/sp_bpe/spm.model");
    QVERIFY(tokenizer.has_value());
    const Opening opened = open({m_folder->write("a.txt", "Once upon a time\n<|endoftext|>\nthere was")}, **tokenizer);
    QVERIFY(opened.cache.has_value());
    Ids expected;
    for (const char *text : {"Once upon a time", "there was"}) {
        const auto ids = (*tokenizer)->encode(text);
        expected.insert(expected.end(), ids->begin(), ids->end());
        if ((*tokenizer)->special().eos)
            expected.push_back(*(*tokenizer)->special().eos);
    }
    QCOMPARE(all(**opened.cache), expected);
}

QTEST_GUILESS_MAIN(TestTokenCache)
#include "tst_tokencache.moc"
