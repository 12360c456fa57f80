// A model made, uptrained as an adapter, opened and handed to a cluster, all from the command line.
#include "trainingfolder.h"

using namespace lens::test;

class CliAdaptersTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        const CliResult base = uptrain(m_folder.fromScratch() + QStringList{"--steps", "4", "--out", path("base")});
        QVERIFY2(base.status == 0, base.text());
        const CliResult run = uptrain({path("base"), "--to", "supra", "--feature-map", "relu-per-head", "--gammas", "0.8,0.9,0.95,1",
                                       "--stage", "cross-entropy:adapter:steps=3:lr=1e-3:final=1e-4", "--lora-rank", "2",
                                       "--adapter-storage", "int8", "--out", path("run")});
        QVERIFY2(run.status == 0, run.text());
    }

    void theRunIsAModel()
    {
        const CliResult info = runCli({"info", path("run"), "--tensors", "--json"});
        QVERIFY2(info.status == 0, info.text());
        const QJsonObject json = info.json();
        QCOMPARE(json["name"].toString(), "base (SUPRA adapter)");
        QCOMPARE(json["mixer"].toString(), "supra");
        QCOMPARE(json["base"].toString(), path("base"));
        QCOMPARE(json["untrained"].toBool(), false);
        const QJsonArray gammas = json["layer_details"].toArray()[0].toObject()["gamma"].toArray();
        QVERIFY(std::abs(gammas[1].toDouble() - 0.9) < 1e-12);
        bool quantised = false;
        for (const QJsonValue &tensor : json["tensors"].toArray())
            quantised = quantised || (tensor["name"].toString().endsWith(".lora_a") && tensor["dtype"].toString() == "I8");
        QVERIFY(quantised);
    }

    void answersAlike_data()
    {
        QTest::addColumn<QString>("model");
        QTest::newRow("by its folder") << path("run");
        QTest::newRow("by its file") << path("run/adapter.safetensors");
        QTest::newRow("on its base") << path("base") + "@adapter=" + path("run/adapter.safetensors");
        QTest::newRow("its folder on its base") << path("base") + "@adapter=" + path("run");
    }

    void answersAlike()
    {
        QFETCH(QString, model);
        const CliResult run = runCli({"generate", model, "--prompt", "Once upon", "--max-tokens", "8", "--json"});
        QVERIFY2(run.status == 0, run.text());
        const QString text = run.json()["text"].toString();
        if (m_text.isNull())
            m_text = text;
        QCOMPARE(text, m_text);
    }

    void comparesWithItsBase()
    {
        const CliResult run = runCli({"compare", path("base"), path("run"), "--prompt", "Once upon a time", "--json"});
        QVERIFY2(run.status == 0, run.text());
    }

    void saysWhichBaseIsMissing()
    {
        QDir().mkpath(path("alone/inner"));
        QVERIFY(QFile::copy(path("run/adapter.safetensors"), path("alone/inner/small.safetensors")));
        qputenv("SUPRALENS_MODELS", path("alone").toUtf8());
        const CliResult run = runCli({"info", path("alone/inner/small.safetensors")});
        QCOMPARE(run.status, 1);
        QVERIFY2(run.isOneLine() && run.err.contains("base") && run.err.contains(path("alone").toUtf8()), run.text());
        const CliResult none = runCli({"info", path("base") + "@adapter=" + path("base/model.safetensors")});
        QCOMPARE(none.status, 1);
        QVERIFY2(none.isOneLine() && none.err.contains("no SUPRA adapter"), none.text());
    }

    void writesAJob()
    {
        const CliResult job = uptrain({path("base"), "--to", "supra", "--steps", "20", "--batch", "4", "--export-job", path("job"), "--json"});
        QVERIFY2(job.status == 0, job.text());
        QVERIFY(job.json()["training_sequences"].toInt() >= 80);
        const CliResult info = runCli({"info", path("job/model"), "--json"});
        QVERIFY2(info.status == 0, info.text());
        QCOMPARE(info.json()["architecture"].toString(), "open_lm");
        QCOMPARE(info.json()["trained_context"].toInt(), 48);
        const CliResult adapter = uptrain({path("base"), "--to", "supra", "--steps", "2", "--train", "adapter", "--export-job", path("no")});
        QCOMPARE(adapter.status, 1);
        QVERIFY2(adapter.err.contains("open_lm"), adapter.text());
    }

    void wrongUsage_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::newRow("decay above one") << QStringList{"--gammas", "0.5,2"};
        QTest::newRow("no layers") << QStringList{"--layers", "3-x"};
        QTest::newRow("a job and a run") << QStringList{"--export-job", path("a"), "--out", path("b")};
    }

    void wrongUsage()
    {
        QFETCH(QStringList, arguments);
        const CliResult run = uptrain(QStringList{path("base"), "--to", "supra", "--steps", "2"} + arguments);
        QVERIFY2(run.status == 2, run.text());
    }

private:
    QString path(const QString &name) const { return m_folder.path(name); }

    CliResult uptrain(const QStringList &arguments) const
    {
        return runCli(QStringList{"uptrain"} + arguments + m_folder.data());
    }

    TrainingFolder m_folder;
    QString m_text;
};

QTEST_GUILESS_MAIN(CliAdaptersTest)
#include "tst_cliadapters.moc"
