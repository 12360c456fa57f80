// Every command once as it is meant to be used.
#include "cliprocess.h"
#include "tensorfile.h"

#include <QTemporaryDir>

using namespace lens::test;

namespace {

const QString softmax = modelPath("gguf_f16");
const QString supra = modelPath("supra_gqa_h8_kv2");

QByteArray contentOf(const QString &path)
{
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

} // namespace

class CliCommandsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void version()
    {
        const CliResult run = runCli({"--version"});
        QCOMPARE(run.status, 0);
        QVERIFY2(run.out.startsWith("supralens-cli "), run.text());
    }

    void help()
    {
        for (const char *command :
             {"info", "tokenize", "generate", "compare", "dump", "probe", "convert", "bench", "workspace", "devices"}) {
            const CliResult run = runCli({command, "--help"});
            QCOMPARE(run.status, 0);
            QVERIFY2(run.out.contains("--device") && run.out.contains("--dtype") && run.out.contains("--threads"),
                     run.text());
        }
    }

    void selfTest()
    {
        const CliResult run = runCli({"--self-test", "--json"});
        QVERIFY2(run.status == 0, run.text());
        QVERIFY(run.json()["passed"].toBool());
        QVERIFY(run.json()["checks"].toArray().size() >= 6);
    }

    void devices()
    {
        const CliResult run = runCli({"devices", "--json"});
        QVERIFY2(run.status == 0, run.text());
        QCOMPARE(run.json()["devices"].toArray()[0].toObject()["device"].toString(), "cpu");
    }

    void info()
    {
        const CliResult run = runCli({"info", softmax, "--tensors", "--json"});
        QVERIFY2(run.status == 0, run.text());
        const QJsonObject json = run.json();
        QCOMPARE(json["format"].toString(), "GGUF");
        QCOMPARE(json["layers"].toInt(), 2);
        QCOMPARE(json["heads"].toInt(), 4);
        QCOMPARE(json["kv_heads"].toInt(), 2);
        QCOMPARE(json["key_dim"].toInt(), 32);
        QCOMPARE(json["vocabulary"].toInt(), 448);
        QVERIFY(json["kv_bytes_per_token"].toInt() > 0);
        QVERIFY(json["tensors"].toArray().size() > 10);

        const CliResult plain = runCli({"info", supra});
        QVERIFY2(plain.status == 0 && plain.out.contains("constant") && plain.out.contains("supra"), plain.text());
    }

    void infoOfConversion()
    {
        const CliResult run = runCli({"info", softmax + "@supra", "--json"});
        QVERIFY2(run.status == 0, run.text());
        QCOMPARE(run.json()["mixer"].toString(), "supra");
        QVERIFY(run.json()["untrained"].toBool());
        QCOMPARE(run.json()["kv_bytes_per_token"].toInt(), 0);
    }

    void tokenize()
    {
        const QJsonObject stated = readJsonFile(QStringLiteral(SUPRALENS_TEST_DATA "/models/gguf_f16/case.json"));
        const CliResult run = runCli({"tokenize", softmax, "--text", stated["prompt"].toString(), "--json"});
        QVERIFY2(run.status == 0, run.text());
        QCOMPARE(run.json()["ids"].toArray(), stated["prompt_ids_with_bos"].toArray());
        QCOMPARE(run.json()["pieces"].toArray().size(), run.json()["ids"].toArray().size());

        QStringList ids;
        const QJsonArray wanted = stated["prompt_ids_with_bos"].toArray();
        for (qsizetype i = 1; i < wanted.size(); ++i)
            ids << QString::number(wanted[i].toInt());
        const CliResult back = runCli({"tokenize", softmax, "--decode", ids.join(',')});
        QVERIFY2(back.status == 0, back.text());
        QCOMPARE(QString::fromUtf8(back.out).trimmed(), stated["prompt"].toString().trimmed());
    }

    void tokenizeFile()
    {
        const QString file = m_folder.filePath("text.txt");
        write(file, "one two\nthree");
        const CliResult fromFile = runCli({"tokenize", softmax, "--file", file, "--json"});
        const CliResult fromText = runCli({"tokenize", softmax, "--text", "one two\nthree", "--json"});
        QVERIFY2(fromFile.status == 0, fromFile.text());
        QCOMPARE(fromFile.out, fromText.out);
    }

    void generate()
    {
        const QStringList common = {"generate", softmax, "--prompt", "one two", "--max-tokens", "12", "--ignore-eos"};
        const CliResult json = runCli(common + QStringList{"--json", "--logprobs", "3"});
        QVERIFY2(json.status == 0, json.text());
        const QJsonObject document = json.json();
        QCOMPARE(document["ids"].toArray().size(), 12);
        QCOMPARE(document["stop_reason"].toString(), "max-tokens");
        QVERIFY(document["state_bytes"].toInt() > 0);
        QVERIFY(document["timings"].toObject()["decode_seconds"].toDouble() > 0);
        const QJsonArray logprobs = document["logprobs"].toArray();
        QCOMPARE(logprobs.size(), 12);
        for (const QJsonValue &token : logprobs) {
            const QJsonArray others = token["alternatives"].toArray();
            QCOMPARE(others.size(), 3);
            QCOMPARE(others[0]["id"].toInt(), token["id"].toInt());
            QVERIFY(token["logprob"].toDouble() <= 0);
        }
        const CliResult plain = runCli(common);
        QVERIFY2(plain.status == 0, plain.text());
        QCOMPARE(QString::fromUtf8(plain.out).chopped(1), document["text"].toString());
        QVERIFY2(plain.err.contains("tokens/s"), plain.text());
    }

    void generateIsReproducible()
    {
        const QStringList common = {"generate", softmax,         "--prompt",    "one",     "--max-tokens",
                                    "16",       "--temperature", "1",           "--top-k", "40",
                                    "--top-p",  "0.95",          "--min-p",     "0.01",    "--repeat-penalty",
                                    "1.1",      "--json",        "--ignore-eos"};
        const QJsonArray first = runCli(common + QStringList{"--seed", "7"}).json()["ids"].toArray();
        QCOMPARE(first.size(), 16);
        QCOMPARE(runCli(common + QStringList{"--seed", "7"}).json()["ids"].toArray(), first);
        QVERIFY(runCli(common + QStringList{"--seed", "8"}).json()["ids"].toArray() != first);
    }

    void generateSeveralRows()
    {
        const CliResult run =
            runCli({"generate", supra, "--ids", supra + "/golden.safetensors", "--max-tokens", "3", "--json"});
        QVERIFY2(run.status == 0, run.text());
        QCOMPARE(run.json()["generations"].toArray().size(), 2);
    }

    void dumpText()
    {
        const QString out = m_folder.filePath("text.safetensors");
        const CliResult run =
            runCli({"dump", softmax, "--text", "one two", "--tensors", "logits,hidden,state", "--out", out});
        QVERIFY2(run.status == 0, run.text());
        QVERIFY2(run.err.contains("no state"), run.text());
        const TensorFile tensors = readTensorFile(out);
        QCOMPARE(tensors.size(), 3);
        QCOMPARE(tensors["logits"].shape[2], 448);
        QCOMPARE(tensors["layers.1.out"].shape[2], 128);
    }

    void dumpOfT2r()
    {
        const QString out = m_folder.filePath("t2r.safetensors");
        const CliResult run =
            runCli({"dump", softmax + "@t2r", "--text", "one two", "--tensors", "state", "--out", out});
        QVERIFY2(run.status == 0, run.text());
        const TensorFile tensors = readTensorFile(out);
        QCOMPARE(tensors.size(), 4);
        QCOMPARE(tensors["layers.0.state"].shape, (std::vector<qint64>{1, 4, 32, 32}));
        QCOMPARE(tensors["layers.1.normaliser"].shape, (std::vector<qint64>{1, 4, 32}));
    }

    void dumpOnMeta()
    {
        const QString out = m_folder.filePath("meta.safetensors");
        const CliResult run = runCli({"dump", supra, "--ids", supra + "/golden.safetensors", "--tensors",
                                      "logits,state", "--device", "meta", "--out", out, "--json"});
        QVERIFY2(run.status == 0, run.text());
        QCOMPARE(run.json()["tensors"].toArray().size(), 3);
        QVERIFY(!QFile::exists(out));
    }

    void probe_data()
    {
        QTest::addColumn<QString>("extension");
        for (const char *extension : {"csv", "json", "safetensors"})
            QTest::addRow("%s", extension) << extension;
    }

    void probe()
    {
        QFETCH(QString, extension);
        const QString out = m_folder.filePath("probe." + extension);
        const CliResult run = runCli({"probe", softmax + "@supra", "--text", "one two three four", "--against", softmax,
                                      "--out", out, "--json"});
        QVERIFY2(run.status == 0, run.text());
        const QJsonObject tables = run.json()["tables"].toObject();
        const qsizetype tokens = run.json()["ids"].toArray().size();
        for (const char *kind :
             {"state_norm", "gamma", "half_life", "attention_distance", "attention_entropy", "zero_features",
              "attention_frobenius_error", "attention_cosine_error", "kl", "nll", "nll_against"})
            QVERIFY2(tables.contains(kind), kind);
        QCOMPARE(tables["state_norm"]["shape"].toArray(), (QJsonArray{tokens, 2, 4}));
        QCOMPARE(tables["kl"]["shape"].toArray(), (QJsonArray{tokens - 1}));
        QVERIFY(qAbs(tables["gamma"]["values"][0][0].toDouble() - 0.778801) < 1e-5);
        QVERIFY(qAbs(tables["half_life"]["values"][1][3].toDouble() - 177.445) < 0.01);

        const QByteArray content = contentOf(out);
        if (extension == "csv") {
            QVERIFY(content.startsWith("kind,token,layer,head,channel,value\nstate_norm,0,0,0,,"));
            QCOMPARE(content.count("\nkl,"), tokens - 1);
        } else if (extension == "json") {
            QCOMPARE(QJsonDocument::fromJson(content).object()["tables"].toObject(), tables);
        } else {
            QCOMPARE(readTensorFile(out)["state_norm"].shape, (std::vector<qint64>{tokens, 2, 4}));
        }
    }

    void convert_data()
    {
        QTest::addColumn<QString>("target");
        QTest::addColumn<QString>("format");
        QTest::newRow("supra") << "supra"
                               << "supralens";
        QTest::newRow("supra for open_lm") << "supra"
                                           << "openlm";
        QTest::newRow("t2r") << "t2r"
                             << "supralens";
        QTest::newRow("linear") << "linear"
                                << "supralens";
    }

    void convert()
    {
        QFETCH(QString, target);
        QFETCH(QString, format);
        QTemporaryDir place;
        const QString out = place.filePath("converted");
        const CliResult run =
            runCli({"convert", softmax, "--to", target, "--seed", "3", "--format", format, "--out", out});
        QVERIFY2(run.status == 0, run.text());
        QVERIFY2(run.out.contains("untrained"), run.text());

        // What was written says the same as what conversion in memory says.
        const QString spelt = softmax + "@" + target + ":seed=3";
        const QString ids = QStringLiteral(SUPRALENS_TEST_DATA "/models/gguf_f16/golden.safetensors");
        const CliResult saved =
            runCli({"dump", out, "--ids", ids, "--tensors", "logits", "--out", place.filePath("a.safetensors")});
        const CliResult memory =
            runCli({"dump", spelt, "--ids", ids, "--tensors", "logits", "--out", place.filePath("b.safetensors")});
        QVERIFY2(saved.status == 0, saved.text());
        QVERIFY2(memory.status == 0, memory.text());
        const TensorFile a = readTensorFile(place.filePath("a.safetensors"));
        const TensorFile b = readTensorFile(place.filePath("b.safetensors"));
        QVERIFY(largestDifference(a["logits"], b["logits"]) < 1e-4);
    }

    void bench()
    {
        const CliResult run = runCli({"bench", softmax, softmax + "@supra", "--prompt-tokens", "20", "--new-tokens",
                                      "8", "--at", "0,40", "--repeat", "2", "--json"});
        QVERIFY2(run.status == 0, run.text());
        const QJsonArray models = run.json()["models"].toArray();
        QCOMPARE(models.size(), 2);
        for (const QJsonValue &model : models) {
            const QJsonObject rate = model["prefill"]["tokens_per_second"].toObject();
            QVERIFY(rate["min"].toDouble() > 0);
            QVERIFY(rate["min"].toDouble() <= rate["median"].toDouble() &&
                    rate["median"].toDouble() <= rate["max"].toDouble());
            QCOMPARE(model["decode"].toArray().size(), 2);
            QVERIFY(model["decode"][1]["tokens_per_second"]["median"].toDouble() > 0);
        }
        QVERIFY(models[0]["decode"][1]["state_bytes"].toInt() > models[0]["decode"][0]["state_bytes"].toInt());
        QCOMPARE(models[1]["decode"][1]["state_bytes"].toInt(), models[1]["decode"][0]["state_bytes"].toInt());
    }

    void compare()
    {
        const QString report = m_folder.filePath("report.html");
        const CliResult run = runCli({"compare", softmax, softmax + "@supra", softmax, "--prompt", "a <b>&\"prompt\"",
                                      "--max-tokens", "10", "--ignore-eos", "--report", report, "--json"});
        QVERIFY2(run.status == 0, run.text());
        const QJsonObject turn = run.json()["turns"][0].toObject();
        QCOMPARE(turn["columns"].toArray().size(), 3);
        const QJsonObject different = turn["pairs"][0].toObject(), same = turn["pairs"][1].toObject();
        const qsizetype predictions = turn["forced_ids"].toArray().size() - 1;
        QVERIFY(different["mean_kl"].toDouble() > 0);
        QVERIFY(different["first_difference"].isDouble());
        QCOMPARE(different["kl"].toArray().size(), predictions);
        QVERIFY(qAbs(same["max_kl"].toDouble()) < 1e-5);
        QVERIFY(same["first_difference"].isNull());
        QCOMPARE(same["top1_agreement"].toDouble(), 1.0);

        const QByteArray html = contentOf(report);
        QVERIFY(html.startsWith("<!DOCTYPE html>"));
        QVERIFY(html.contains("a &lt;b&gt;&amp;&quot;prompt&quot;") && !html.contains("a <b>"));
        QVERIFY(html.count("<svg") >= 5);
        QVERIFY(!html.contains("nan") && !html.contains("<script") && !html.contains("http"));
        QVERIFY(html.contains("class=\"first\""));
    }

    void workspace()
    {
        const QString file = m_folder.filePath("work.db");
        const CliResult run = runCli({"compare", softmax, softmax + "@supra", "--prompt", "zebra crossing", "--prompt",
                                      "and then", "--max-tokens", "6", "--workspace", file});
        QVERIFY2(run.status == 0, run.text());
        QVERIFY2(run.out.contains("first difference"), run.text());

        const CliResult list = runCli({"workspace", file, "list", "--json"});
        QVERIFY2(list.status == 0, list.text());
        const QJsonObject session = list.json()["sessions"][0].toObject();
        QCOMPARE(session["turns"].toInt(), 2);
        QCOMPARE(session["models"].toArray().size(), 2);
        const QString id = QString::number(session["id"].toInteger());

        const CliResult shown = runCli({"workspace", file, "show", id});
        QVERIFY2(shown.status == 0 && shown.out.contains("zebra crossing"), shown.text());
        const CliResult found = runCli({"workspace", file, "search", "zebra", "--json"});
        QCOMPARE(found.json()["hits"][0]["session"].toInteger(), session["id"].toInteger());
        QVERIFY(runCli({"workspace", file, "search", "giraffe", "--json"}).json()["hits"].toArray().isEmpty());
        const CliResult check = runCli({"workspace", file, "check"});
        QVERIFY2(check.status == 0, check.text());

        const QString document = m_folder.filePath("session.json");
        QCOMPARE(runCli({"workspace", file, "export", id, "--out", document, "--probes"}).status, 0);
        const QString other = m_folder.filePath("other.db");
        const CliResult imported = runCli({"workspace", other, "import", document, "--json"});
        QVERIFY2(imported.status == 0, imported.text());
        const CliResult again =
            runCli({"workspace", other, "show", QString::number(imported.json()["session"].toInteger())});
        QCOMPARE(again.out, shown.out);
    }

private:
    static void write(const QString &path, const QByteArray &content)
    {
        QFile file(path);
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(content);
    }

    QTemporaryDir m_folder;
};

QTEST_GUILESS_MAIN(CliCommandsTest)
#include "tst_clicommands.moc"
