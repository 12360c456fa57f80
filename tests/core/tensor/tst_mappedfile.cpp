#include "tensor/mappedfile.h"

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

QTEST_APPLESS_MAIN(TestMappedFile)
#include "tst_mappedfile.moc"
