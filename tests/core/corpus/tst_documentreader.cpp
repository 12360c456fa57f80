// Documents of text and JSON lines, plain and gzipped, whole and damaged.
#include "core/corpus/corpusfixtures.h"
#include "corpus/documentreader.h"

#include <QtTest>
#include <zlib.h>

using namespace lens;
using namespace lens::corpustest;

namespace {

std::string gzipped(const std::string &text)
{
    z_stream stream = {};
    deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    std::string packed(deflateBound(&stream, text.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef *>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

struct Reading {
    std::vector<std::string> texts;
    std::vector<std::int64_t> lines;
    Error error{ErrorCode::Cancelled, {}, {}, {}};  // Cancelled: none
};

Reading readAll(const std::string &file, const DocumentFormat &format = {})
{
    Reading reading;
    Result<DocumentReader> reader = DocumentReader::open(file, format);
    while (reader) {
        Result<std::optional<Document>> document = reader->next();
        if (!document)
            reading.error = document.error();
        if (!document || !*document)
            return reading;
        reading.texts.push_back((*document)->text);
        reading.lines.push_back((*document)->line);
    }
    reading.error = reader.error();
    return reading;
}

using Texts = std::vector<std::string>;
using Lines = std::vector<std::int64_t>;

} // namespace

class TestDocumentReader : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void text_data();
    void text();
    void jsonLines();
    void ids();
    void gzipStreams();
    void longLines();
    void refusals_data();
    void refusals();
    void missingFiles();
};

void TestDocumentReader::text_data()
{
    QTest::addColumn<QByteArray>("content");
    QTest::addColumn<QByteArray>("separator");
    QTest::addColumn<QByteArrayList>("documents");
    const QByteArray usual = "<|endoftext|>";
    QTest::newRow("empty") << QByteArray() << usual << QByteArrayList();
    QTest::newRow("blank") << QByteArray("\n \n<|endoftext|>\n\n") << usual << QByteArrayList();
    QTest::newRow("one without end") << QByteArray("a\nb") << usual << QByteArrayList{"a\nb"};
    QTest::newRow("ended") << QByteArray("a\nb\n<|endoftext|>\n") << usual << QByteArrayList{"a\nb"};
    QTest::newRow("three") << QByteArray("a\n<|endoftext|>\n\nb\n\n<|endoftext|>\nc\n") << usual
                           << QByteArrayList{"a", "\nb\n", "c"};
    QTest::newRow("windows") << QByteArray("\xef\xbb\xbf" "a\r\nb\r\n<|endoftext|>\r\nc") << usual
                             << QByteArrayList{"a\nb", "c"};
    QTest::newRow("only whole lines separate") << QByteArray("a <|endoftext|>\n--\nb") << usual
                                               << QByteArrayList{"a <|endoftext|>\n--\nb"};
    QTest::newRow("own separator") << QByteArray("a\n--\nb") << QByteArray("--") << QByteArrayList{"a", "b"};
    QTest::newRow("no separator") << QByteArray("a\n<|endoftext|>\nb\n") << QByteArray()
                                  << QByteArrayList{"a\n<|endoftext|>\nb"};
}

void TestDocumentReader::text()
{
    QFETCH(QByteArray, content);
    QFETCH(QByteArray, separator);
    QFETCH(QByteArrayList, documents);
    Texts expected;
    for (const QByteArray &document : documents)
        expected.push_back(document.toStdString());
    const Folder folder;
    const DocumentFormat format{.separator = separator.toStdString()};
    const Reading plain = readAll(folder.write("a.txt", content.toStdString()), format);
    QCOMPARE(plain.error.code, ErrorCode::Cancelled);
    QCOMPARE(plain.texts, expected);
    const Reading packed = readAll(folder.write("a.txt.gz", gzipped(content.toStdString())), format);
    QCOMPARE(packed.error.code, ErrorCode::Cancelled);
    QCOMPARE(packed.texts, expected);
}

void TestDocumentReader::jsonLines()
{
    const Folder folder;
    const std::string content = "{\"text\": \"a\\nb\", \"story\": \"s\"}\n\n{\"text\": \"<|endoftext|>\"}\n{\"text\": \" \"}";
    const Reading reading = readAll(folder.write("a.jsonl.gz", gzipped(content)));
    QCOMPARE(reading.texts, (Texts{"a\nb", "<|endoftext|>"}));
    QCOMPARE(reading.lines, (Lines{1, 3}));
    QCOMPARE(readAll(folder.write("b.jsonl", "{\"story\": \"s\"}"), {.textField = "story"}).texts, Texts{"s"});
}

void TestDocumentReader::ids()
{
    const Folder folder;
    Result<DocumentReader> reader =
        DocumentReader::open(folder.write("a.jsonl", "{\"ids\": [5, 0, 7]}\n{\"text\": \"x\", \"ids\": []}\n"));
    QVERIFY(reader.has_value());
    auto first = reader->next();
    QVERIFY(first && *first && (*first)->ids);
    QCOMPARE(*(*first)->ids, (std::vector<TokenId>{5, 0, 7}));
    auto second = reader->next();
    QVERIFY(second && *second && (*second)->ids);
    QVERIFY((*second)->ids->empty());
    QCOMPARE((*second)->text, std::string("x"));
}

void TestDocumentReader::gzipStreams()
{
    const Folder folder;
    const Reading reading = readAll(folder.write("a.jsonl.gz", gzipped("{\"text\": \"a\"}\n") + gzipped("{\"text\": \"b\"}\n")));
    QCOMPARE(reading.texts, (Texts{"a", "b"}));
    // Without the name, too.
    QCOMPARE(readAll(folder.write("a.txt", gzipped("a\n"))).texts, Texts{"a"});
}

void TestDocumentReader::longLines()
{
    const Folder folder;
    const std::string text(5'000'000, 'x');
    const Reading reading = readAll(folder.write("a.txt", text + "\n<|endoftext|>\n" + text + "y"));
    QCOMPARE(reading.texts.size(), std::size_t(2));
    QVERIFY(reading.texts[0] == text);
    QVERIFY(reading.texts[1] == text + "y");
}

void TestDocumentReader::refusals_data()
{
    QTest::addColumn<QByteArray>("name");
    QTest::addColumn<QByteArray>("content");
    QTest::addColumn<ErrorCode>("code");
    QTest::addColumn<QByteArray>("place");
    std::string story;
    for (int i = 0; i < 20000; ++i)
        story += std::to_string(i * 7919 % 10007) + (i % 9 ? " " : "\n");
    const std::string packed = gzipped(story);
    std::string damaged = packed;
    for (std::size_t i = packed.size() / 2; i < packed.size() / 2 + 16; ++i)
        damaged[i] = '\x55';
    const auto bytes = [](const std::string &text) { return QByteArray::fromStdString(text); };
    QTest::newRow("gzip cut") << QByteArray("a.txt.gz") << bytes(packed.substr(0, packed.size() / 2)) << ErrorCode::Truncated
                              << QByteArray("a.txt.gz, after line");
    QTest::newRow("gzip without its end") << QByteArray("a.txt.gz") << bytes(packed.substr(0, packed.size() - 4))
                                          << ErrorCode::Truncated << QByteArray("a.txt.gz");
    QTest::newRow("gzip damaged") << QByteArray("a.txt.gz") << bytes(damaged) << ErrorCode::Malformed << QByteArray("a.txt.gz");
    QTest::newRow("not gzip") << QByteArray("a.txt.gz") << QByteArray("once upon") << ErrorCode::Malformed
                              << QByteArray("a.txt.gz");
    QTest::newRow("not JSON") << QByteArray("a.jsonl") << QByteArray("{\"text\": \"a\"}\n{\"text\": \"a") << ErrorCode::Malformed
                              << QByteArray("a.jsonl, line 2");
    QTest::newRow("no object") << QByteArray("a.jsonl") << QByteArray("[1]") << ErrorCode::Malformed << QByteArray("line 1");
    QTest::newRow("no field") << QByteArray("a.jsonl") << QByteArray("\n{\"story\": \"a\"}") << ErrorCode::Malformed
                              << QByteArray("line 2");
    QTest::newRow("not text") << QByteArray("a.jsonl") << QByteArray("{\"text\": 5}") << ErrorCode::Malformed
                              << QByteArray("line 1");
    QTest::newRow("ids no list") << QByteArray("a.jsonl") << QByteArray("{\"ids\": 5}") << ErrorCode::Malformed
                                 << QByteArray("line 1");
    QTest::newRow("negative id") << QByteArray("a.jsonl") << QByteArray("{\"ids\": [-1]}") << ErrorCode::Malformed
                                 << QByteArray("line 1");
    QTest::newRow("huge id") << QByteArray("a.jsonl") << QByteArray("{\"ids\": [4294967296]}") << ErrorCode::Malformed
                             << QByteArray("line 1");
    QTest::newRow("nested") << QByteArray("a.jsonl") << QByteArray(1000, '[') << ErrorCode::LimitExceeded
                            << QByteArray("line 1");
}

void TestDocumentReader::refusals()
{
    QFETCH(QByteArray, name);
    QFETCH(QByteArray, content);
    QFETCH(ErrorCode, code);
    QFETCH(QByteArray, place);
    const Folder folder;
    const Reading reading = readAll(folder.write(name.toStdString(), content.toStdString()));
    QCOMPARE(reading.error.code, code);
    QVERIFY2(reading.error.where.find(place.toStdString()) != std::string::npos, reading.error.where.c_str());
}

void TestDocumentReader::missingFiles()
{
    const Folder folder;
    QCOMPARE(readAll(folder.path("none.txt")).error.code, ErrorCode::NotFound);
    QCOMPARE(readAll(folder.path(".")).error.code, ErrorCode::InvalidArgument);
}

QTEST_GUILESS_MAIN(TestDocumentReader)
#include "tst_documentreader.moc"
