// Malformed safetensors files, configurations, shard indices and paths are refused with the right kind of error.
#include "checkpoint/checkpoint.h"
#include "handmade.h"
#include "refusals.h"

#include <ATen/ATen.h>
#include <QTemporaryDir>
#include <QtTest>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

using namespace handmade;
using lens::ErrorCode;
using refusals::row;

namespace {

namespace fs = std::filesystem;

/// The header of a file with one float tensor; every piece can be replaced.
std::string tensorHeader(const std::string &dtype, const std::string &shape, const std::string &offsets)
{
    return R"({"w":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

const std::string kGood = tensorHeader(R"("F32")", "[2,3]", "[0,24]");

} // namespace

class TestRefusals : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init();
    void safetensors_data();
    void safetensors();
    void safetensorsTolerated_data();
    void safetensorsTolerated();
    void otherFiles_data();
    void otherFiles();
    void configurations_data();
    void configurations();
    void pythonNumbers();
    void shards_data();
    void shards();
    void shardLinks();
    void paths();

private:
    fs::path path(const std::string &name) const { return fs::path(m_folder->path().toStdString()) / name; }
    void expectRefusal(const fs::path &file, ErrorCode code);
    void refuseRow(const char *fileName);

    std::unique_ptr<QTemporaryDir> m_folder;
};

void TestRefusals::init()
{
    m_folder = std::make_unique<QTemporaryDir>();
    save(path("config.json"), "{}");
}

void TestRefusals::expectRefusal(const fs::path &file, ErrorCode code)
{
    QCOMPARE(refusals::problem(m_folder->path().toStdString(), file, code), QString());
}

void TestRefusals::refuseRow(const char *fileName)
{
    QFETCH(QByteArray, bytes);
    QFETCH(int, code);
    save(path(fileName), std::string_view(bytes.data(), static_cast<std::size_t>(bytes.size())));
    expectRefusal(path(fileName), static_cast<ErrorCode>(code));
}

void TestRefusals::safetensors_data()
{
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<int>("code");
    const auto header = [](const std::string &text, std::size_t data = 24) {
        return handmade::safetensors(text, data);
    };
    const auto length = [](std::uint64_t value) { return number(value) + kGood + std::string(24, '\1'); };

    row("empty", "", ErrorCode::Truncated);
    row("seven bytes", std::string(7, '\1'), ErrorCode::Truncated);
    row("length 0", length(0), ErrorCode::Malformed);
    row("length 2^63", length(std::uint64_t{1} << 63), ErrorCode::LimitExceeded);
    row("length 2^64-1", length(~std::uint64_t{0}), ErrorCode::LimitExceeded);
    row("length over 100 MB", length(100'000'001), ErrorCode::LimitExceeded);
    row("length past the end", length(1000), ErrorCode::Truncated);
    row("not JSON", header("{\"w\":"), ErrorCode::Malformed);
    row("not an object", header("[1,2]"), ErrorCode::Malformed);
    row("bad UTF-8", header("{\"\xFF\":" + kGood.substr(5)), ErrorCode::Malformed);
    row("deep nesting", header("{\"w\":{\"x\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}}"),
        ErrorCode::LimitExceeded);
    row("deep nesting of objects", header([] {
            std::string text;
            for (int i = 0; i < 100'000; ++i)
                text += "{\"a\":";
            return text;
        }()),
        ErrorCode::LimitExceeded);
    row("leading space", header(" " + kGood), ErrorCode::Malformed);
    row("two values", header(kGood + kGood), ErrorCode::Malformed);
    const std::string body = kGood.substr(1, kGood.size() - 2);
    row("same key twice", header("{" + body + "," + body + "}"), ErrorCode::Malformed);
    row("same key, other range",
        header("{" + body + R"(,"w":{"dtype":"F32","shape":[2,3],"data_offsets":[24,48]}})", 48), ErrorCode::Malformed);
    row("same field twice", header(R"({"w":{"dtype":"F32","dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})"),
        ErrorCode::Malformed);
    row("truncated data", header(kGood, 23), ErrorCode::Truncated);
    row("trailing data", header(kGood, 25), ErrorCode::Malformed);
    row("hole", header(tensorHeader(R"("F32")", "[2,3]", "[8,32]"), 32), ErrorCode::Malformed);
    row("overlap", header("{" + body + R"(,"v":{"dtype":"F32","shape":[1],"data_offsets":[20,24]}})"),
        ErrorCode::Malformed);
    row("begin after end", header(tensorHeader(R"("F32")", "[2,3]", "[24,0]")), ErrorCode::Malformed);
    row("negative offset", header(tensorHeader(R"("F32")", "[2,3]", "[-24,0]")), ErrorCode::Malformed);
    row("fractional offset", header(tensorHeader(R"("F32")", "[2,3]", "[0,24.0]")), ErrorCode::Malformed);
    row("one offset", header(tensorHeader(R"("F32")", "[2,3]", "[24]")), ErrorCode::Malformed);
    row("three offsets", header(tensorHeader(R"("F32")", "[2,3]", "[0,24,24]")), ErrorCode::Malformed);
    row("offset beyond 64 bits", header(tensorHeader(R"("F32")", "[2,3]", "[0,99999999999999999999]")),
        ErrorCode::Malformed);
    row("shape overflows", header(tensorHeader(R"("F32")", "[4294967296,4294967296,4]", "[0,24]")),
        ErrorCode::Malformed);
    row("dimension beyond 63 bits", header(tensorHeader(R"("F32")", "[18446744073709551615]", "[0,24]")),
        ErrorCode::Malformed);
    row("negative dimension", header(tensorHeader(R"("F32")", "[-2,3]", "[0,24]")), ErrorCode::Malformed);
    row("fractional dimension", header(tensorHeader(R"("F32")", "[2.5,3]", "[0,24]")), ErrorCode::Malformed);
    row("nested shape", header(tensorHeader(R"("F32")", "[[2,3]]", "[0,24]")), ErrorCode::Malformed);
    row("shape is a number", header(tensorHeader(R"("F32")", "6", "[0,24]")), ErrorCode::Malformed);
    row("shape against bytes", header(tensorHeader(R"("F32")", "[2,4]", "[0,24]")), ErrorCode::Malformed);
    row("type against bytes", header(tensorHeader(R"("F16")", "[2,3]", "[0,24]")), ErrorCode::Malformed);
    row("nine dimensions", header(tensorHeader(R"("F32")", "[1,1,1,1,1,1,1,2,3]", "[0,24]")), ErrorCode::LimitExceeded);
    row("100000 dimensions",
        header(tensorHeader(R"("F32")",
                            "[6" +
                                [] {
                                    std::string ones;
                                    for (int i = 0; i < 100'000; ++i)
                                        ones += ",1";
                                    return ones;
                                }() +
                                "]",
                            "[0,24]")),
        ErrorCode::LimitExceeded);
    row("unknown type", header(tensorHeader(R"("F12")", "[2,3]", "[0,24]")), ErrorCode::Unsupported);
    row("type is a number", header(tensorHeader("32", "[2,3]", "[0,24]")), ErrorCode::Malformed);
    row("no type", header(R"({"w":{"shape":[2,3],"data_offsets":[0,24]}})"), ErrorCode::Malformed);
    row("tensor is a number", header(R"({"w":5})"), ErrorCode::Malformed);
    row("metadata of numbers", header(R"({"__metadata__":{"a":1},)" + body + "}"), ErrorCode::Malformed);
    row("metadata is a text", header(R"({"__metadata__":"a",)" + body + "}"), ErrorCode::Malformed);
    row("web page", "<!DOCTYPE html><html><body>404</body></html>", ErrorCode::Malformed);
    row("LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", ErrorCode::Malformed);
    row("pickle", "\x80\x02}q\1.", ErrorCode::Unsupported);
    row("noise", std::string("\x05\x11\x99\x34\x22\x01\x71\x7f\x61\x62", 10), ErrorCode::LimitExceeded);
}

void TestRefusals::safetensors()
{
    refuseRow("model.safetensors");
}

void TestRefusals::safetensorsTolerated_data()
{
    QTest::addColumn<QByteArray>("header");
    QTest::addColumn<int>("dataBytes");
    QTest::newRow("plain") << QByteArray::fromStdString(kGood) << 24;
    QTest::newRow("trailing spaces") << QByteArray::fromStdString(kGood + "    ") << 24;
    QTest::newRow("further fields")
        << QByteArray(
               R"({"w":{"dtype":"F32","note":{"a":[1,null,{"b":2}]},"shape":[2,3],"more":-1.5,"data_offsets":[0,24]}})")
        << 24;
    QTest::newRow("metadata")
        << QByteArray(R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}})")
        << 24;
    QTest::newRow("misaligned") << QByteArray(R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                              R"("w":{"dtype":"F32","shape":[2,3],"data_offsets":[1,25]}})")
                                << 25;
    QTest::newRow("scalar and empty") << QByteArray(R"({"s":{"dtype":"F32","shape":[],"data_offsets":[24,28]},)"
                                                    R"("e":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},)"
                                                    R"("w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})")
                                      << 28;
    QTest::newRow("no tensors") << QByteArray("{}") << 0;
}

void TestRefusals::safetensorsTolerated()
{
    QFETCH(QByteArray, header);
    QFETCH(int, dataBytes);
    save(path("model.safetensors"), handmade::safetensors(header.toStdString(), static_cast<std::size_t>(dataBytes)));
    const auto checkpoint = lens::openCheckpoint(path("model.safetensors"));
    QVERIFY2(checkpoint, checkpoint ? "" : lens::toString(checkpoint.error()).c_str());
    for (const lens::TensorInfo &info : (*checkpoint)->tensors()) {
        const auto tensor = (*checkpoint)->load(info.name, info.dtype);
        QVERIFY(tensor);
        QCOMPARE(tensor->nbytes(), static_cast<std::size_t>(info.bytes));
        QVERIFY((tensor->flatten().view(at::kByte) == 1).all().item<bool>());
    }
}

void TestRefusals::otherFiles_data()
{
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<int>("code");
    row("empty", "", ErrorCode::Truncated);
    row("web page", "\n <html>", ErrorCode::Malformed);
    row("LFS pointer", "version https://git-lfs.github.com/spec/v1\n", ErrorCode::Malformed);
    row("text", "hello, this is no model", ErrorCode::Unsupported);
}

void TestRefusals::otherFiles()
{
    refuseRow("model.dat");
}

void TestRefusals::configurations_data()
{
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<int>("code");
    row("empty", "", ErrorCode::Malformed);
    row("not JSON", "{\"a\":", ErrorCode::Malformed);
    row("bad UTF-8", "{\"a\":\"\xFF\"}", ErrorCode::Malformed);
    row("not an object", "[1]", ErrorCode::Malformed);
    row("deep", "{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}", ErrorCode::LimitExceeded);
    row("17 MB", std::string(17 << 20, ' '), ErrorCode::LimitExceeded);
    row("number beyond doubles", "{\"a\":1e999}", ErrorCode::Malformed);
}

void TestRefusals::configurations()
{
    save(path("model.safetensors"), handmade::safetensors(kGood, 24));
    fs::remove(path("config.json"));
    expectRefusal(path("model.safetensors"), ErrorCode::NotFound);
    QFETCH(QByteArray, bytes);
    QFETCH(int, code);
    save(path("config.json"), bytes.toStdString());
    expectRefusal(path("model.safetensors"), static_cast<ErrorCode>(code));
}

void TestRefusals::pythonNumbers()
{
    save(path("model.safetensors"), handmade::safetensors(kGood, 24));
    save(path("config.json"), R"({"a":[Infinity,-Infinity,NaN],"b":{"__float__":"Infinity"},"c":"Infinity \" NaN"})");
    const auto checkpoint = lens::openCheckpoint(m_folder->path().toStdString());
    QVERIFY2(checkpoint, checkpoint ? "" : lens::toString(checkpoint.error()).c_str());
    const nlohmann::json &config = (*checkpoint)->config();
    QCOMPARE(config["a"][0].get<double>(), HUGE_VAL);
    QCOMPARE(config["a"][1].get<double>(), -HUGE_VAL);
    QVERIFY(std::isnan(config["a"][2].get<double>()));
    QCOMPARE(config["b"].get<double>(), HUGE_VAL);
    QCOMPARE(config["c"].get<std::string>(), std::string("Infinity \" NaN"));
}

void TestRefusals::shards_data()
{
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<int>("code");
    const auto map = [](const std::string &entries, const std::string &total = "48") {
        return R"({"metadata":{"total_size":)" + total + R"(},"weight_map":{)" + entries + "}}";
    };
    row("file missing", map(R"("w":"a.safetensors","v":"c.safetensors")"), ErrorCode::NotFound);
    row("leads up", map(R"("w":"../a.safetensors","v":"b.safetensors")"), ErrorCode::Malformed);
    row("absolute", map(R"("w":"/etc/passwd","v":"b.safetensors")"), ErrorCode::Malformed);
    row("the folder above", map(R"("w":"..","v":"b.safetensors")"), ErrorCode::Malformed);
    row("empty name", map(R"("w":"","v":"b.safetensors")"), ErrorCode::Malformed);
    row("NUL in name", map(R"("w":"a.safetensors\u0000","v":"b.safetensors")"), ErrorCode::Malformed);
    row("name is a number", map(R"("w":1,"v":"b.safetensors")"), ErrorCode::Malformed);
    row("tensor listed twice", map(R"("w":"a.safetensors","w":"a.safetensors","v":"b.safetensors")"),
        ErrorCode::Malformed);
    row("tensor in two files", map(R"("w":"a.safetensors","v":"again.safetensors")", "24"), ErrorCode::Mismatch);
    row("tensor elsewhere", map(R"("w":"b.safetensors","v":"a.safetensors")"), ErrorCode::Mismatch);
    row("tensor not listed", map(R"("w":"a.safetensors","u":"b.safetensors")"), ErrorCode::Mismatch);
    row("tensor only listed", map(R"("w":"a.safetensors","v":"b.safetensors","u":"b.safetensors")"),
        ErrorCode::Mismatch);
    row("wrong total", map(R"("w":"a.safetensors","v":"b.safetensors")", "49"), ErrorCode::Mismatch);
    row("negative total", map(R"("w":"a.safetensors","v":"b.safetensors")", "-48"), ErrorCode::Malformed);
    row("total is a text", map(R"("w":"a.safetensors","v":"b.safetensors")", "\"48\""), ErrorCode::Malformed);
    row("no map", R"({"metadata":{"total_size":48}})", ErrorCode::Malformed);
    row("not JSON", "{", ErrorCode::Malformed);
}

void TestRefusals::shards()
{
    const std::string other = R"({"v":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}})";
    save(path("a.safetensors"), handmade::safetensors(kGood, 24));
    save(path("again.safetensors"), handmade::safetensors(kGood, 24));
    save(path("b.safetensors"), handmade::safetensors(other, 24));
    QFETCH(QByteArray, bytes);
    QFETCH(int, code);
    const fs::path index = path("model.safetensors.index.json");
    save(index, R"({"metadata":{"total_size":48.0},"weight_map":{"w":"a.safetensors","v":"b.safetensors"}})");
    QVERIFY(lens::openCheckpoint(m_folder->path().toStdString()));
    save(index, bytes.toStdString());
    expectRefusal(m_folder->path().toStdString(), static_cast<ErrorCode>(code));
}

void TestRefusals::shardLinks()
{
    // as Hugging Face's cache lies on disk: links from snapshots/<revision> to blobs
    const fs::path snapshot = path("snapshots") / "abc";
    fs::create_directories(snapshot);
    fs::create_directories(path("blobs"));
    fs::create_directories(path("elsewhere"));
    save(path("blobs") / "hash", handmade::safetensors(kGood, 24));
    save(path("elsewhere") / "hash", handmade::safetensors(kGood, 24));
    save(snapshot / "config.json", "{}");
    save(snapshot / "model.safetensors.index.json", R"({"weight_map":{"w":"a.safetensors"}})");
    fs::create_symlink("../../blobs/hash", snapshot / "a.safetensors");
    const auto cached = lens::openCheckpoint(snapshot);
    QVERIFY2(cached, cached ? "" : lens::toString(cached.error()).c_str());
    fs::remove(snapshot / "a.safetensors");
    fs::create_symlink("../../elsewhere/hash", snapshot / "a.safetensors");
    expectRefusal(snapshot, ErrorCode::Malformed);
}

void TestRefusals::paths()
{
    expectRefusal(path("nothing"), ErrorCode::NotFound);
    fs::create_directory(path("empty"));
    expectRefusal(path("empty"), ErrorCode::NotFound);
    fs::create_directory(path("several"));
    save(path("several") / "a.gguf", "GGUF");
    save(path("several") / "b.gguf", "GGUF");
    expectRefusal(path("several"), ErrorCode::InvalidArgument);
    QCOMPARE(::mkfifo(path("pipe.gguf").c_str(), 0600), 0);
    expectRefusal(path("pipe.gguf"), ErrorCode::InvalidArgument);
    fs::create_symlink("loop.gguf", path("loop.gguf"));
    expectRefusal(path("loop.gguf"), ErrorCode::Io);
}

QTEST_APPLESS_MAIN(TestRefusals)
#include "tst_refusals.moc"
