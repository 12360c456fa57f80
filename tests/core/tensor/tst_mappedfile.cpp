#include "tensor/mappedfile.h"
#include "tensor/mappedtensor.h"

#include <QTemporaryDir>
#include <QtTest>
#include <fstream>

namespace fs = std::filesystem;

class TestMappedFile : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void mapsContent();
    void mapsEmptyFile();
    void refusesWhatIsNoFile();
    void noticesTruncation();
    void keepsContentOfReplacedFile();
    void readsAgainWhatWasReleased();
    void survivesFilesThatAreCutWhileRead();
    void tensorsKnowTheirFile();

private:
    fs::path write(const char *name, const std::string &content) const
    {
        const fs::path path = fs::path(m_folder.path().toStdString()) / name;
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }
    static std::string text(const lens::MappedFile &file)
    {
        return {reinterpret_cast<const char *>(file.bytes().data()), file.bytes().size()};
    }

    QTemporaryDir m_folder;
};

void TestMappedFile::mapsContent()
{
    const auto file = lens::MappedFile::open(write("a", "content"));
    QVERIFY(file);
    QCOMPARE(text(**file), std::string("content"));
    QVERIFY((*file)->checkUnchanged());
}

void TestMappedFile::mapsEmptyFile()
{
    const auto file = lens::MappedFile::open(write("empty", ""));
    QVERIFY(file);
    QVERIFY((*file)->bytes().empty());
}

void TestMappedFile::refusesWhatIsNoFile()
{
    const auto missing = lens::MappedFile::open(fs::path(m_folder.path().toStdString()) / "missing");
    QVERIFY(!missing && missing.error().code == lens::ErrorCode::NotFound);
    QVERIFY(missing.error().where.ends_with("missing"));
    const auto folder = lens::MappedFile::open(m_folder.path().toStdString());
    QVERIFY(!folder && folder.error().code == lens::ErrorCode::InvalidArgument);
}

void TestMappedFile::noticesTruncation()
{
    const fs::path path = write("shrinks", std::string(10'000, 'x'));
    const auto file = lens::MappedFile::open(path);
    QVERIFY(file);
    fs::resize_file(path, 100);
    const auto unchanged = (*file)->checkUnchanged();
    QVERIFY(!unchanged && unchanged.error().code == lens::ErrorCode::Truncated);
}

void TestMappedFile::keepsContentOfReplacedFile()
{
    const fs::path path = write("old", "old content");
    const auto file = lens::MappedFile::open(path);
    QVERIFY(file);
    fs::rename(write("new", "other"), path);
    QVERIFY((*file)->checkUnchanged());
    QCOMPARE(text(**file), std::string("old content"));
}

void TestMappedFile::readsAgainWhatWasReleased()
{
    const std::string content(100'000, 'x');
    const auto file = lens::MappedFile::open(write("large", content));
    QVERIFY(file && text(**file) == content);
    (*file)->release((*file)->bytes().subspan(10, 90'000));
    (*file)->release((*file)->bytes().subspan(5, 0));
    QVERIFY(text(**file) == content);
}

/// Pages that are gone read as zeros, and the file says so, even when it has its length again; others are left alone.
void TestMappedFile::survivesFilesThatAreCutWhileRead()
{
    const std::string content(100000, 'x');
    const fs::path path = write("cut", content);
    const auto file = lens::MappedFile::open(path), other = lens::MappedFile::open(write("other", content));
    QVERIFY(file && other);
    fs::resize_file(path, 10);
    QVERIFY(!(*file)->isCut());
    QCOMPARE((*file)->bytes()[5], std::byte('x'));
    QCOMPARE((*file)->bytes()[90000], std::byte(0));
    QCOMPARE((*file)->bytes()[50000], std::byte(0));
    QVERIFY((*file)->isCut() && !(*other)->isCut());
    fs::resize_file(path, content.size());
    QVERIFY(!(*file)->checkUnchanged() && (*file)->checkUnchanged().error().code == lens::ErrorCode::Truncated);
    QVERIFY((*other)->checkUnchanged());
    const auto again = lens::MappedFile::open(path);
    QVERIFY(again && !(*again)->isCut());
}

void TestMappedFile::tensorsKnowTheirFile()
{
    const auto file = lens::MappedFile::open(write("numbers", std::string(64, '\1')));
    QVERIFY(file);
    const long before = file->use_count();
    {
        const at::Tensor view = lens::viewOf(*file, 8, at::kByte, {2, 5}, {});
        QCOMPARE(view.sum().item<int>(), 10);
        QVERIFY(lens::fileOf(view) == *file && lens::fileOf(view.narrow(0, 1, 1)) == *file);
        QVERIFY(!lens::fileOf(view.clone()) && !lens::fileOf(at::Tensor()) && !lens::fileOf(at::zeros({3})));
        QVERIFY(file->use_count() > before);
    }
    QCOMPARE(file->use_count(), before);
}

QTEST_APPLESS_MAIN(TestMappedFile)
#include "tst_mappedfile.moc"
