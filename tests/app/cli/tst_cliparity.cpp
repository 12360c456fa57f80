// `dump` and `generate --ids` on every model fixture against the golden values of independent implementations.
#include "cliprocess.h"
#include "tensorfile.h"

#include <QDir>
#include <QTemporaryDir>

using namespace lens::test;

namespace {

/// Families this release reads; the folder holds more.
const QStringList families = {"hf_*", "gguf_*", "supra_*", "openlm_*"};

QStringList fixtures()
{
    return QDir(QStringLiteral(SUPRALENS_TEST_DATA "/models")).entryList(families, QDir::Dirs, QDir::Name);
}

QString folderOf(const QString &name)
{
    return QStringLiteral(SUPRALENS_TEST_DATA "/models/") + name;
}

struct Tolerance {
    double logits = 2e-4; ///< what the GGUF fixtures advise; the others say their own
    double internals = 1e-4;
    double internalsRelative = 2e-5;
};

Tolerance toleranceOf(const QString &name)
{
    const QJsonObject stated = readJsonFile(folderOf(name) + "/case.json")["tolerance"].toObject();
    Tolerance tolerance;
    tolerance.logits = stated["logits_abs"].toDouble(tolerance.logits);
    tolerance.internals = stated["internals_abs"].toDouble(tolerance.internals);
    tolerance.internalsRelative = stated["internals_rel_to_tensor_max"].toDouble(tolerance.internalsRelative);
    return tolerance;
}

/// The words of --tensors for which there are golden values.
QStringList wordsFor(const TensorFile &golden)
{
    QStringList words = {"logits"};
    if (golden.contains("layers.0.state_undecayed"))
        words << "state";
    if (golden.contains("layers.0.attn") || golden.contains("layers.0.linear_attn"))
        words << "attention";
    if (golden.contains("layers.0.attn_out"))
        words << "mixer_out";
    if (golden.contains("layers.0.out"))
        words << "hidden";
    return words;
}

/// The golden counterpart of a dumped tensor; none when there is none.
QString goldenName(const QString &dumped)
{
    return dumped.endsWith(".state") ? dumped + "_undecayed" : dumped;
}

} // namespace

class CliParityTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { QVERIFY2(fixtures().size() >= 25, "model fixtures are missing"); }

    void dump_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("mode");
        for (const QString &name : fixtures()) {
            for (const QString mode : {"parallel", "chunked:16", "recurrent"})
                QTest::addRow("%s %s", qPrintable(name), qPrintable(mode)) << name << mode;
        }
    }

    void dump()
    {
        QFETCH(QString, name);
        QFETCH(QString, mode);
        const QString goldenFile = folderOf(name) + "/golden.safetensors";
        const TensorFile golden = readTensorFile(goldenFile);
        QVERIFY(golden.contains("logits"));
        const QString out = m_folder.filePath("out.safetensors");
        const CliResult run =
            runCli({"dump", modelPath(name), "--ids", goldenFile, "--tensors", wordsFor(golden).join(','), "--mode",
                    mode, "--dtype", "float32", "--device", "cpu", "--out", out});
        QVERIFY2(run.status == 0, run.text());

        const TensorFile dumped = readTensorFile(out);
        const Tolerance tolerance = toleranceOf(name);
        int compared = 0;
        for (auto entry = dumped.begin(); entry != dumped.end(); ++entry) {
            if (!golden.contains(goldenName(entry.key())))
                continue;
            const TestTensor &wanted = golden[goldenName(entry.key())];
            const bool firstRowOnly = entry.key().endsWith(".linear_attn");
            const double difference = largestDifference(firstRowOnly ? entry->firstRow() : *entry, wanted);
            const double allowed = entry.key() == "logits"
                                       ? tolerance.logits
                                       : tolerance.internals + tolerance.internalsRelative * wanted.largest();
            QVERIFY2(difference <= allowed,
                     qPrintable(QString("%1: %2, allowed are %3").arg(entry.key()).arg(difference).arg(allowed)));
            ++compared;
        }
        for (auto entry = golden.begin(); entry != golden.end(); ++entry) {
            const bool isOurs = entry.key() == "logits" || entry.key().endsWith(".state_undecayed") ||
                                entry.key().endsWith("attn") || entry.key().endsWith(".attn_out") ||
                                entry.key().endsWith(".out");
            compared -= isOurs ? 1 : 0;
        }
        QCOMPARE(compared, 0);
    }

    void greedy_data()
    {
        QTest::addColumn<QString>("name");
        for (const QString &name : fixtures())
            QTest::addRow("%s", qPrintable(name)) << name;
    }

    void greedy()
    {
        QFETCH(QString, name);
        const TensorFile golden = readTensorFile(folderOf(name) + "/golden.safetensors");
        if (!golden.contains("greedy"))
            QSKIP("no golden continuation");
        // The continuation of eight ids; in the GGUF fixtures, of the whole prompt.
        const TestTensor ids = golden["input_ids"].firstRow();
        const std::size_t count = name.startsWith("gguf_") ? ids.values.size() : 8;
        QJsonArray prompt;
        for (std::size_t i = 0; i < count; ++i)
            prompt.append(static_cast<qint64>(ids.values[i]));
        QFile file(m_folder.filePath("ids.json"));
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(QJsonDocument(QJsonArray{prompt}).toJson());
        file.close();

        const std::vector<double> &wanted = golden["greedy"].values;
        const CliResult run = runCli({"generate", modelPath(name), "--ids", file.fileName(), "--max-tokens",
                                      QString::number(wanted.size()), "--temperature", "0", "--ignore-eos", "--json",
                                      "--dtype", "float32", "--device", "cpu"});
        QVERIFY2(run.status == 0, run.text());
        const QJsonArray got = run.json()["ids"].toArray();
        QCOMPARE(run.json()["prompt_ids"].toArray(), prompt);
        QCOMPARE(static_cast<std::size_t>(got.size()), wanted.size());
        for (qsizetype i = 0; i < got.size(); ++i)
            QCOMPARE(got[i].toInteger(), static_cast<qint64>(wanted[static_cast<std::size_t>(i)]));
    }

private:
    QTemporaryDir m_folder;
};

QTEST_GUILESS_MAIN(CliParityTest)
#include "tst_cliparity.moc"
