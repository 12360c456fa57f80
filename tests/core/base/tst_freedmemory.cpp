// What the C library does with memory that was freed, told from outside: by page faults and resident pages.
#include "base/freedmemory.h"

#include <QFile>
#include <QTest>
#include <cstdint>
#include <memory>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

using namespace lens;

namespace {

using Block = std::unique_ptr<char[]>;

Block touched(std::size_t bytes)
{
    Block block(new char[bytes]);
    for (std::size_t i = 0; i < bytes; i += 512)
        static_cast<volatile char &>(block[i]) = 1;
    return block;
}

long pageFaults()
{
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

std::int64_t residentBytes()
{
    QFile file(QStringLiteral("/proc/self/statm"));
    if (!file.open(QIODevice::ReadOnly))
        return 0;
    return file.readAll().split(' ').at(1).toLongLong() * sysconf(_SC_PAGESIZE);
}

} // namespace

class FreedMemoryTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
#if !defined(__GLIBC__) || defined(__SANITIZE_ADDRESS__)
        QSKIP("another allocator than glibc's is at work");
#endif
        keepFreedMemory();
    }

    void isTakenAgain()
    {
        const auto takeAndFree = [] {
            std::vector<Block> blocks;
            for (int i = 0; i < 5; ++i)
                blocks.push_back(touched(4u << 20));
        };
        takeAndFree();
        const long before = pageFaults();
        for (int i = 0; i < 10; ++i)
            takeAndFree();
        // Were it given back each time, each page would fault again: ten times five thousand.
        QVERIFY2(pageFaults() - before < 5000, qPrintable(QString::number(pageFaults() - before)));
    }

    /// Also what lies below something that stays.
    void isHandedBackWhenAsked()
    {
        constexpr std::size_t bytes = 64u << 10, count = 1024;
        std::vector<Block> blocks;
        for (std::size_t i = 0; i < count; ++i)
            blocks.push_back(touched(bytes));
        const Block stays = touched(1024);
        const std::int64_t held = residentBytes();
        blocks.clear();
        releaseFreedMemory();
        QVERIFY2(residentBytes() < held - std::int64_t(bytes * count / 2), qPrintable(QString::number(held - residentBytes())));
        QCOMPARE(stays[0], char(1));
    }
};

QTEST_GUILESS_MAIN(FreedMemoryTest)
#include "tst_freedmemory.moc"
