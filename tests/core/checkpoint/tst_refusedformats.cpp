// Malformed GGUF, torch and llama2.c files are refused with the right kind of error.
#include "checkpoint/checkpoint.h"
#include "handmade.h"
#include "refusals.h"

#include <ATen/ATen.h>
#include <QTemporaryDir>
#include <QtTest>
#include <cmath>
#include <limits>

using namespace handmade;
using lens::ErrorCode;
using refusals::row;

namespace {

namespace fs = std::filesystem;

const std::string kGoodGgufTensor = ggufTensor("w", {32, 2}, 2, 0);

} // namespace

class TestRefusedFormats : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init() { m_folder = std::make_unique<QTemporaryDir>(); }
    void gguf_data();
    void gguf();
    void torchFile_data();
    void torchFile();
    void llama2c_data();
    void llama2c();
    void stridedTensors();

private:
    fs::path path(const std::string &name) const { return fs::path(m_folder->path().toStdString()) / name; }
    void refuseRow(const char *fileName);

    std::unique_ptr<QTemporaryDir> m_folder;
};

void TestRefusedFormats::refuseRow(const char *fileName)
{
    QFETCH(QByteArray, bytes);
    QFETCH(int, code);
    save(path(fileName), bytes.toStdString());
    QCOMPARE(refusals::problem(m_folder->path().toStdString(), path(fileName), static_cast<ErrorCode>(code)),
             QString());
}

void TestRefusedFormats::gguf_data()
{
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<int>("code");
    const auto pairs = [](const std::vector<std::string> &all) { return handmade::gguf(all, {}); };
    const auto tensor = [](const std::string &info, std::size_t data = 36) { return handmade::gguf({}, {info}, data); };
    const std::uint64_t huge = std::uint64_t{1} << 62;

    row("magic only", "GGUF", ErrorCode::Truncated);
    row("half a magic", "GG", ErrorCode::Malformed);
    row("version 1", handmade::gguf({}, {}, 0, 1), ErrorCode::Unsupported);
    row("version 4", handmade::gguf({}, {}, 0, 4), ErrorCode::Unsupported);
    row("big-endian", handmade::gguf({}, {}, 0, 0x03000000), ErrorCode::Unsupported);
    row("2^62 tensors", "GGUF" + number(3u) + number(huge) + number(std::uint64_t{0}), ErrorCode::LimitExceeded);
    row("90000 tensors in nothing", "GGUF" + number(3u) + number(std::uint64_t{90'000}) + number(std::uint64_t{0}),
        ErrorCode::Truncated);
    row("2^62 pairs", "GGUF" + number(3u) + number(std::uint64_t{0}) + number(huge), ErrorCode::Truncated);
    row("key of 2^62 bytes",
        "GGUF" + number(3u) + number(std::uint64_t{0}) + number(std::uint64_t{1}) + number(huge) + std::string(64, 'x'),
        ErrorCode::Truncated);
    row("text of 2^64-1 bytes", pairs({ggufPair("a", 8, number(~std::uint64_t{0}))}), ErrorCode::Truncated);
    row("array of 2^62 texts", pairs({ggufArray("a", 8, huge, "")}), ErrorCode::Truncated);
    row("array of 2^62 doubles", pairs({ggufArray("a", 12, huge, "")}), ErrorCode::Truncated);
    row("array of arrays", pairs({ggufArray("a", 9, 1, "")}), ErrorCode::Unsupported);
    row("array of type 99", pairs({ggufArray("a", 99, 1, "1")}), ErrorCode::Malformed);
    row("value of type 13", pairs({ggufPair("a", 13, "12345678")}), ErrorCode::Malformed);
    row("key twice", pairs({ggufPair("a", 0, "1"), ggufPair("a", 0, "1")}), ErrorCode::Malformed);
    row("key not UTF-8", pairs({ggufPair("\xC3", 0, "1")}), ErrorCode::Malformed);
    row("text not UTF-8", pairs({ggufPair("a", 8, ggufString("\xED\xA0\x80"))}), ErrorCode::Malformed);
    for (const std::uint32_t alignment : {0u, 3u, 0x80000000u})
        row(("alignment " + std::to_string(alignment)).c_str(),
            pairs({ggufPair("general.alignment", 4, number(alignment))}), ErrorCode::Malformed);
    row("alignment is a text", pairs({ggufPair("general.alignment", 8, ggufString("32"))}), ErrorCode::Malformed);
    row("split", pairs({ggufPair("split.count", 2, number(std::uint16_t{3}))}), ErrorCode::Unsupported);

    row("data too short", tensor(kGoodGgufTensor, 35), ErrorCode::Truncated);
    row("offset beyond the file", tensor(ggufTensor("w", {32, 2}, 2, huge)), ErrorCode::Truncated);
    row("offset wraps around", tensor(ggufTensor("w", {32, 2}, 2, ~std::uint64_t{31})), ErrorCode::Truncated);
    row("misaligned offset", tensor(ggufTensor("w", {32, 2}, 2, 4), 64), ErrorCode::Malformed);
    row("five dimensions", tensor(ggufTensor("w", {32, 1, 1, 1, 2}, 2, 0)), ErrorCode::LimitExceeded);
    row("2^31 dimensions", tensor(ggufString("w") + number(0x80000000u)), ErrorCode::LimitExceeded);
    row("shape overflows", tensor(ggufTensor("w", {std::uint64_t{1} << 32, std::uint64_t{1} << 32}, 0, 0)),
        ErrorCode::Malformed);
    row("negative dimension", tensor(ggufTensor("w", {~std::uint64_t{0}}, 0, 0)), ErrorCode::Malformed);
    row("row no whole block", tensor(ggufTensor("w", {33, 2}, 2, 0), 64), ErrorCode::Malformed);
    row("type Q2_K", tensor(ggufTensor("w", {256}, 10, 0), 84), ErrorCode::Unsupported);
    row("type 4 (removed)", tensor(ggufTensor("w", {32}, 4, 0), 64), ErrorCode::Malformed);
    row("type 2^31", tensor(ggufTensor("w", {32}, 0x80000000u, 0), 64), ErrorCode::Malformed);
    row("name twice", handmade::gguf({}, {kGoodGgufTensor, ggufTensor("w", {32}, 2, 64)}, 96), ErrorCode::Malformed);
    row("overlap", handmade::gguf({}, {kGoodGgufTensor, ggufTensor("v", {32}, 2, 32)}, 96), ErrorCode::Malformed);
    row("name not UTF-8", tensor(ggufTensor("\xFF", {32, 2}, 2, 0)), ErrorCode::Malformed);

    const std::string llama = ggufPair("tokenizer.ggml.model", 8, ggufString("llama"));
    const std::string tokens = ggufArray("tokenizer.ggml.tokens", 8, 2, ggufString("a") + ggufString("b"));
    row("vocabulary without pieces", pairs({llama}), ErrorCode::Malformed);
    row("pieces are numbers", pairs({llama, ggufArray("tokenizer.ggml.tokens", 4, 2, "12345678")}),
        ErrorCode::Malformed);
    row("scores are texts",
        pairs({llama, tokens, ggufArray("tokenizer.ggml.scores", 8, 2, ggufString("a") + ggufString("b"))}),
        ErrorCode::Malformed);
    row("too few scores", pairs({llama, tokens, ggufArray("tokenizer.ggml.scores", 6, 1, "1234")}),
        ErrorCode::Malformed);
    row("score NaN", pairs({llama, tokens, ggufArray("tokenizer.ggml.scores", 6, 2, number(NAN) + number(1.0f))}),
        ErrorCode::Malformed);
    row("types of other width", pairs({llama, tokens, ggufArray("tokenizer.ggml.token_type", 0, 2, "12")}),
        ErrorCode::Malformed);
    row("bos beyond", pairs({llama, tokens, ggufPair("tokenizer.ggml.bos_token_id", 4, number(2u))}),
        ErrorCode::Malformed);
    row("eos negative", pairs({llama, tokens, ggufPair("tokenizer.ggml.eos_token_id", 5, number(-5))}),
        ErrorCode::Malformed);
}

void TestRefusedFormats::gguf()
{
    refuseRow("model.gguf");
}

void TestRefusedFormats::torchFile_data()
{
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<int>("code");
    const auto tensor = [](const TensorPickle &pickle) { return handmade::torchFile(pickle); };
    const auto pickle = [](const std::string &body) { return handmade::torchFile("\x80\x02" + body + "."); };
    const auto dict = [](const std::string &value) {
        return handmade::torchFile("\x80\x02}(" + pickleText("w") + value + "u.");
    };
    const std::string good = "\x80\x02}(" + pickleText("w") + pickleTensor({}) + "u.";

    row("old pickle", "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", ErrorCode::Unsupported);
    row("magic only", "PK\x03\x04", ErrorCode::Truncated);
    row("no end record", zip({{"x/data.pkl", good}}, {.withEnd = false}), ErrorCode::Truncated);
    row("compressed", zip({{"x/data.pkl", good}}, {.method = 8}), ErrorCode::Unsupported);
    row("sizes beyond the file", zip({{"x/data.pkl", good}}, {.extraSize = 1000}), ErrorCode::Truncated);
    row("sizes of 4 GB", zip({{"x/data.pkl", good}}, {.extraSize = 0xFFFFFF00}), ErrorCode::Truncated);
    row("extra field beyond its end", zip({{"x/data.pkl", good}}, {.extraField = std::string("\x99\x99\xFF\0....", 8)}),
        ErrorCode::Malformed);
    row("64-bit sizes cut short",
        zip({{"x/data.pkl", good}},
            {.extraSize = static_cast<std::uint32_t>(~good.size()), .extraField = std::string("\1\0\4\0....", 8)}),
        ErrorCode::Malformed);
    row("entry twice", zip({{"x/data.pkl", good}, {"x/data.pkl", good}}), ErrorCode::Malformed);
    row("other zip", zip({{"word/document.xml", "<x/>"}}), ErrorCode::Unsupported);
    row("big-endian", zip({{"x/data.pkl", good}, {"x/byteorder", "big"}}), ErrorCode::Unsupported);
    row("no storage", zip({{"x/data.pkl", good}}), ErrorCode::Malformed);

    row("runs a command", pickle("cos\nsystem\n" + pickleText("true") + "\x85R"), ErrorCode::Unsupported);
    row("runs eval", dict("cbuiltins\neval\n" + pickleText("1") + "\x85R"), ErrorCode::Unsupported);
    row("torch function", dict("ctorch.hub\nload\n)R"), ErrorCode::Unsupported);
    row("calls OrderedDict oddly", dict("ccollections\nOrderedDict\n" + pickleText("x") + "\x85R"),
        ErrorCode::Unsupported);
    row("unknown instruction", pickle("\x93"), ErrorCode::Unsupported);
    row("protocol 4", handmade::torchFile("\x80\x04}."), ErrorCode::Unsupported);
    row("empty pickle", handmade::torchFile(""), ErrorCode::Truncated);
    row("no end", handmade::torchFile("\x80\x02}"), ErrorCode::Truncated);
    row("text beyond the end", pickle("X\xFF\xFF\xFF\xFFxx"), ErrorCode::Truncated);
    row("empty stack", pickle(""), ErrorCode::Malformed);
    row("mark left open", pickle("}("), ErrorCode::Malformed);
    row("no mark", pickle("t"), ErrorCode::Malformed);
    row("pops through a mark", pickle("}K\1(s"), ErrorCode::Malformed);
    row("unknown memo", pickle("j\xFF\xFF\xFF\xFF"), ErrorCode::Malformed);
    row("items into a number", pickle("K\1(K\1K\2u"), ErrorCode::Malformed);
    row("odd items", pickle("}(K\1u"), ErrorCode::Malformed);
    row("appends to a tuple", pickle(")K\1a"), ErrorCode::Malformed);
    row("calls a number", pickle("K\1)R"), ErrorCode::Malformed);
    row("storage of wrong form", pickle("(K\1K\2K\3K\4K\5tQ"), ErrorCode::Malformed);
    row("number of 80 bits", pickle("\x8a\x0a" + std::string(10, 'x')), ErrorCode::Unsupported);
    row("million values", handmade::torchFile("\x80\x02" + std::string(1'000'001, 'N') + "."),
        ErrorCode::LimitExceeded);
    row("a list in itself", pickle("]q\1h\1a"), ErrorCode::Unsupported);
    row("only numbers", dict("K\1"), ErrorCode::Unsupported);

    row("storage too small", tensor({.elements = 7}), ErrorCode::Truncated);
    row("storage of negative size", tensor({.elements = -1}), ErrorCode::Malformed);
    row("negative offset", tensor({.offset = -1}), ErrorCode::Malformed);
    row("offset beyond", tensor({.offset = 1}), ErrorCode::Malformed);
    row("shape beyond", tensor({.shape = {3, 3}}), ErrorCode::Malformed);
    row("strides beyond", tensor({.strides = {4, 1}}), ErrorCode::Malformed);
    row("negative stride", tensor({.strides = {-3, 1}}), ErrorCode::Malformed);
    row("fewer strides", tensor({.strides = {1}}), ErrorCode::Malformed);
    row("repeats its data", tensor({.shape = {1 << 30, 6}, .strides = {0, 1}}), ErrorCode::LimitExceeded);
    row("shape overflows", tensor({.shape = {1 << 30, 1 << 30, 1 << 30}, .strides = {0, 0, 0}}), ErrorCode::Malformed);
    row("nine dimensions", tensor({.shape = {1, 1, 1, 1, 1, 1, 1, 1, 6}, .strides = {6, 6, 6, 6, 6, 6, 6, 6, 1}}),
        ErrorCode::Malformed);
    row("name twice",
        handmade::torchFile("\x80\x02}(" + pickleText("w") + pickleTensor({}) + pickleText("w") + pickleTensor({}) +
                            "u."),
        ErrorCode::Malformed);
    row("complex numbers", tensor({.storage = "ComplexFloatStorage"}), ErrorCode::Unsupported);
    row("open_lm without configuration",
        handmade::torchFile("\x80\x02}(" + pickleText("module.layers.0.attention.in_proj.weight") + pickleTensor({}) +
                            "u."),
        ErrorCode::NotFound);
}

void TestRefusedFormats::torchFile()
{
    refuseRow("epoch_1.pt");
}

void TestRefusedFormats::llama2c_data()
{
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<int>("code");
    const auto header = [](const std::vector<std::int32_t> &values) {
        std::string result;
        for (const std::int32_t value : values)
            result += number(value);
        return result + std::string(4000, '\0');
    };
    const std::string modern = number(0x616b3432u);
    row("half a header", std::string(20, '\1'), ErrorCode::Truncated);
    row("zero width", header({0, 8, 1, 1, 1, 4, 4}), ErrorCode::Malformed);
    row("negative layers", header({8, 8, -1, 1, 1, 4, 4}), ErrorCode::Malformed);
    row("no heads", header({8, 8, 1, 0, 1, 4, 4}), ErrorCode::Malformed);
    row("vocabulary of -2^31", header({8, 8, 1, 1, 1, std::numeric_limits<std::int32_t>::min(), 4}),
        ErrorCode::Truncated);
    row("width not divisible", header({8, 8, 1, 3, 1, 4, 4}), ErrorCode::Malformed);
    row("kv heads not divisible", header({8, 8, 1, 4, 3, 4, 4}), ErrorCode::Malformed);
    row("2^31-1 layers", header({1, 1, 2147483647, 1, 1, 1, 1}), ErrorCode::LimitExceeded);
    row("2^31-1 everywhere", header({2147483647, 2147483647, 4096, 1, 1, 2147483647, 2147483647}),
        ErrorCode::Truncated);
    row("too long", header({8, 8, 1, 1, 1, 4, 4}), ErrorCode::Malformed);
    row("version 9", modern + header({9, 8, 8, 1, 1, 1, 4, 4}), ErrorCode::Unsupported);
    row("version 1, header cut", modern + number(1) + std::string(60, '\1'), ErrorCode::Truncated);
    row("group size 0", modern + header({2, 8, 8, 1, 1, 1, 4, 4}), ErrorCode::Malformed);
}

void TestRefusedFormats::llama2c()
{
    refuseRow("model.bin");
}

void TestRefusedFormats::stridedTensors()
{
    std::string data;
    for (int i = 0; i < 6; ++i)
        data += number(static_cast<float>(i));
    const auto open = [&](const TensorPickle &tensor) {
        const std::string pickle = "\x80\x02}(" + pickleText("w") + pickleTensor(tensor) + "u.";
        save(path("model.pt"), zip({{"x/data.pkl", pickle}, {"x/data/0", data}}));
        const auto checkpoint = lens::openCheckpoint(path("model.pt"));
        return checkpoint ? *(*checkpoint)->load("w", lens::DType::F32) : at::Tensor();
    };
    const at::Tensor turned = open({.shape = {3, 2}, .strides = {1, 3}});
    QVERIFY(turned.defined() && turned.is_contiguous());
    QVERIFY(at::equal(turned, at::arange(6, at::kFloat).view({2, 3}).t()));
    const at::Tensor part = open({.offset = 1, .shape = {2, 2}, .strides = {3, 1}});
    QVERIFY(at::equal(part, at::arange(6, at::kFloat).view({2, 3}).slice(1, 1)));
    const at::Tensor repeated = open({.shape = {2, 3}, .strides = {0, 2}});
    QVERIFY(at::equal(repeated, at::tensor({0.f, 2.f, 4.f}).expand({2, 3})));
}

QTEST_APPLESS_MAIN(TestRefusedFormats)
#include "tst_refusedformats.moc"
