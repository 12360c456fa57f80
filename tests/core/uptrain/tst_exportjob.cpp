// Jobs for open_lm's trainer: shards that hold the run's sequences, a model that opens again, and a launch line.
#include "engine/engine.h"
#include "smallruns.h"
#include "uptrain/exportjob.h"
#include "uptrain/shards.h"
#include "uptrain/trainingcorpus.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QtTest>
#include <filesystem>
#include <zlib.h>

using namespace lens;
using namespace lens::test;

namespace fs = std::filesystem;

namespace {

QByteArray contents(const fs::path &path)
{
    QFile file(QString::fromStdString(path.string()));
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

/// Name and content of each entry, by the letter of the format; nothing when a checksum is wrong.
QList<std::pair<QByteArray, QByteArray>> entriesOf(const QByteArray &tar)
{
    QList<std::pair<QByteArray, QByteArray>> entries;
    qsizetype at = 0;
    while (at + 512 <= tar.size() && tar[at] != '\0') {
        QByteArray header = tar.mid(at, 512);
        const unsigned written = header.mid(148, 6).toUInt(nullptr, 8);
        header.replace(148, 8, "        ");
        unsigned sum = 0;
        for (const char c : header)
            sum += static_cast<unsigned char>(c);
        if (sum != written || header.mid(257, 5) != "ustar")
            return {};
        const qsizetype size = header.mid(124, 11).toLongLong(nullptr, 8);
        entries.append({QByteArray(header.constData()), tar.mid(at + 512, size)});
        at += 512 + (size + 511) / 512 * 512;
    }
    const bool isClosed = at + 1024 == tar.size() && tar.mid(at).count('\0') == 1024;
    return isClosed ? entries : QList<std::pair<QByteArray, QByteArray>>();
}

QByteArray unpacked(const QByteArray &packed)
{
    z_stream stream{};
    QByteArray text(1 << 20, '\0');
    stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = reinterpret_cast<Bytef *>(text.data());
    stream.avail_out = static_cast<uInt>(text.size());
    const bool done = inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK && inflate(&stream, Z_FINISH) == Z_STREAM_END;
    text.resize(done ? static_cast<qsizetype>(stream.total_out) : 0);
    inflateEnd(&stream);
    return text;
}

std::vector<TokenId> idsOf(const QByteArray &packed)
{
    std::vector<TokenId> ids;
    for (const QJsonValue &id : QJsonDocument::fromJson(unpacked(packed)).array())
        ids.push_back(static_cast<TokenId>(id.toInt(-1)));
    return ids;
}

} // namespace

class ExportJobTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void shardsHoldTheRun();
    void theModelComesBack();
    void textsSayWhatWasAsked();
    void refusesWhatOpenLmCannotDo_data();
    void refusesWhatOpenLmCannotDo();
    void cancelling();
    void plans();

private:
    Recipe recipe() const
    {
        Recipe recipe = m_runs.scratch("unused", 40);
        recipe.scratch += "@supra";
        return recipe;
    }

    const ExportedJob &job()
    {
        if (!m_job)
            m_job = exportJob(recipe(), m_runs.file("job")).value();
        return *m_job;
    }

    SmallRuns m_runs;
    std::optional<ExportedJob> m_job;
};

void ExportJobTest::shardsHoldTheRun()
{
    const auto tokenizer = loadTokenizerFile(recipe().tokenizer);
    QVERIFY(tokenizer);
    const auto corpus = openTrainingCorpus(recipe(), **tokenizer, {}, {});
    QVERIFY(corpus);
    std::vector<TokenId> expected(static_cast<std::size_t>(corpus->sequenceLength() + 1));
    for (const bool heldOut : {false, true}) {
        const fs::path folder = fs::path(job().folder) / (heldOut ? "heldout" : "train");
        std::int64_t index = 0, shards = 0;
        for (const QByteArray &line : contents(folder / "manifest.jsonl").trimmed().split('\n')) {
            const QJsonObject shard = QJsonDocument::fromJson(line).object();
            const std::string name = shard["shard"].toString().toStdString();
            QCOMPARE(name, shardName(shards++));
            const auto entries = entriesOf(contents(folder / (name + ".tar")));
            QCOMPARE(entries.size(), qsizetype(shard["num_sequences"].toInt()));
            for (const auto &[entry, packed] : entries) {
                QCOMPARE(entry, QByteArray::number(qlonglong(index)).rightJustified(12, '0') + ".json.gz");
                heldOut ? corpus->heldOutSequence(index, expected) : corpus->trainingSequence(index, expected);
                QVERIFY(idsOf(packed) == expected);
                ++index;
            }
        }
        QCOMPARE(index, heldOut ? job().heldOutSequences : job().trainingSequences);
        QCOMPARE(shards, heldOut ? job().heldOutShards : job().trainingShards);
    }
    QVERIFY(job().trainingSequences >= 40 * recipe().batch);
    QCOMPARE(job().heldOutSequences, corpus->heldOutSequences());
}

void ExportJobTest::theModelComesBack()
{
    const fs::path model = fs::path(job().folder) / "model", result = m_runs.file("result");
    const auto begun = loadModel(model.string(), {});
    QVERIFY2(begun, begun ? "" : toString(begun.error()).c_str());
    QCOMPARE((*begun)->info().mixer, std::string("supra"));
    QCOMPARE((*begun)->info().trainedContext, recipe().sequenceLength);
    QVERIFY((*begun)->tokenizer());
    // As run.sh leaves it.
    fs::copy(model, result);
    fs::rename(result / "epoch_0.pt", result / "epoch_10.pt");
    const auto trained = loadModel(result.string(), {});
    QVERIFY2(trained, trained ? "" : toString(trained.error()).c_str());
    QCOMPARE((*trained)->info().fingerprint, (*begun)->info().fingerprint);
    const std::vector<TokenId> ids{1, 20, 30, 40, 50};
    const auto compared = compareForced(**begun, **trained, ids);
    QVERIFY(compared);
    for (const float kl : compared->kl)
        QVERIFY(std::abs(kl) < 1e-6);
}

void ExportJobTest::textsSayWhatWasAsked()
{
    const fs::path folder = job().folder;
    const QByteArray script = contents(folder / "run.sh");
    for (const char *words : {"torchrun", "open_lm.main", "--pretrained", "--load-not-strict", "--lr 0.01", "--lr-cooldown-end 0.001",
                              "--warmup 2", "--global-batch-size 4", "--data-key json.gz", "--train-num-samples 768", "--epochs 10",
                              "--beta2 0.95", "--wd 0.1", "--fsdp"})
        QVERIFY2(script.contains(words), words);
    QVERIFY(!script.contains(folder.c_str()));
    QVERIFY(QFileInfo(QString::fromStdString((folder / "run.sh").string())).isExecutable());
    QProcess bash;
    bash.start("bash", {"-n", QString::fromStdString((folder / "run.sh").string())});
    QVERIFY(bash.waitForFinished());
    QCOMPARE(bash.exitCode(), 0);
    QVERIFY(contents(folder / "README.md").contains("supralens-cli"));
    QVERIFY(QJsonDocument::fromJson(contents(folder / "recipe.json")).isObject());
    QCOMPARE(exportJob(recipe(), job().folder).error().code, ErrorCode::InvalidArgument);
}

void ExportJobTest::refusesWhatOpenLmCannotDo_data()
{
    QTest::addColumn<Recipe>("recipe");
    Recipe stages = recipe();
    stages.stages.push_back(stages.stages.front());
    QTest::newRow("two stages") << stages;
    Recipe maps = recipe();
    maps.scratch = m_runs.file("config.json") + "@supra:relu-per-head";
    QTest::newRow("maps per head") << maps;
    Recipe decay = recipe();
    decay.learnDecay = true;
    QTest::newRow("learned decays") << decay;
    Recipe t2r = recipe();
    t2r.scratch = m_runs.file("config.json") + "@t2r";
    QTest::newRow("T2R") << t2r;
}

void ExportJobTest::refusesWhatOpenLmCannotDo()
{
    QFETCH(Recipe, recipe);
    QCOMPARE(exportJob(recipe, m_runs.file("refused")).error().code, ErrorCode::Unsupported);
    QVERIFY(!fs::exists(fs::path(m_runs.file("refused")) / "train"));
    fs::remove_all(m_runs.file("refused"));
}

void ExportJobTest::cancelling()
{
    std::stop_source stop;
    const ProgressFn progress = [&](const Progress &now) {
        if (now.stage == "writing shards" && now.done > 0)
            stop.request_stop();
    };
    const std::string folder = m_runs.file("cancelled");
    QCOMPARE(exportJob(recipe(), folder, stop.get_token(), progress).error().code, ErrorCode::Cancelled);
    QVERIFY(!fs::exists(fs::path(folder) / "train" / "manifest.jsonl"));
    QVERIFY(!fs::exists(fs::path(folder) / "run.sh"));
    const auto again = exportJob(recipe(), folder);
    QVERIFY2(again, again ? "" : toString(again.error()).c_str());
}

void ExportJobTest::plans()
{
    QCOMPARE(shardName(7), std::string("00000007"));
    QCOMPARE((ShardPlan{10, 4, 49}.shards()), std::int64_t(3));
}

QTEST_GUILESS_MAIN(ExportJobTest)
#include "tst_exportjob.moc"
