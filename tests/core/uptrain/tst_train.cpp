// A run as its user sees it: it ends with a model, survives being stopped and killed, goes on bit for bit, and says what
// is wrong.
#include "smallruns.h"

#include "engine/engine.h"
#include "uptrain/runlog.h"

#include <QtTest>
#include <csignal>
#include <filesystem>
#include <sys/resource.h>
#include <thread>

using namespace lens;
using namespace lens::test;

namespace {

QByteArray contentOf(const std::string &file)
{
    QFile in(QString::fromStdString(file));
    return in.open(QIODevice::ReadOnly) ? in.readAll() : QByteArray();
}

Result<TrainingOutcome> trainNow(const Recipe &recipe, ResumeMode mode = ResumeMode::Fresh, const TrainingListener &listener = {})
{
    TrainingControl control;
    return train(recipe, mode, listener, control);
}

std::vector<double> losses(const Recipe &recipe, ResumeMode mode = ResumeMode::Fresh)
{
    std::vector<double> values;
    TrainingListener listener;
    listener.step = [&](const StepMetrics &metrics) { values.push_back(metrics.loss); };
    const auto outcome = trainNow(recipe, mode, listener);
    if (!outcome)
        qWarning("%s", toString(outcome.error()).c_str());
    return values;
}

} // namespace

class TrainTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { qputenv("XDG_CACHE_HOME", m_runs.file("xdg").c_str()); }
    void endsWithAModelThatReads();
    void stoppedRunGoesOnBitForBit();
    void killedRunGoesOnBitForBit();
    void damagedCheckpointIsPassedOver();
    void accumulationGivesTheSameLosses();
    void divergenceIsDiagnosed();
    void otherRecipeIsNotResumed();
    void personCanPauseExportAndStop();
    void missingDataIsNamed();
    void perplexityThatIsNoNumberIsSurvived();
    void impossiblePositionIsRefused();
    void runWithoutCheckpointIsNotLost();
    void wholeCheckpointIsLeftAlone();
    void modelThatCannotBeWrittenIsTold();
    void logOutlivesAFullDisk();
    void logLinesThatDoNotFitArePassedOver();

private:
    SmallRuns m_runs;
};

void TrainTest::endsWithAModelThatReads()
{
    std::vector<EvaluationMetrics> evaluations;
    TrainingListener listener;
    listener.evaluation = [&](const EvaluationMetrics &metrics) { evaluations.push_back(metrics); };
    const auto outcome = trainNow(m_runs.scratch("ends", 40), ResumeMode::Fresh, listener);
    QVERIFY2(outcome.has_value(), outcome ? "" : toString(outcome.error()).c_str());
    QVERIFY(outcome->finished);
    QCOMPARE(outcome->step, std::int64_t{40});
    QVERIFY(evaluations.size() >= 2);
    QVERIFY2(evaluations.back().perplexity < evaluations.front().perplexity / 20, qPrintable(QString::number(evaluations.back().perplexity)));
    const auto model = loadModel(outcome->folder, {});
    QVERIFY2(model.has_value(), model ? "" : toString(model.error()).c_str());
    QVERIFY((*model)->tokenizer());
    QVERIFY(!(*model)->info().untrained);
    auto session = DecodeSession::create(*model);
    const auto ids = (*model)->tokenizer()->encode("One day Tom");
    GenerationOptions options;
    options.maxTokens = 12;
    const auto text = (*session)->generate(*ids, options, {}, {});
    QVERIFY(text && !text->text.empty());
}

void TrainTest::stoppedRunGoesOnBitForBit()
{
    const Recipe whole = m_runs.scratch("whole", 13), halves = m_runs.scratch("halves", 13);
    const std::vector<double> expected = losses(whole);
    QCOMPARE(expected.size(), std::size_t{13});
    std::stop_source stop;
    std::vector<double> seen;
    TrainingListener listener;
    listener.step = [&](const StepMetrics &metrics) {
        seen.push_back(metrics.loss);
        if (metrics.step == 7)
            stop.request_stop();
    };
    TrainingControl control;
    const auto stopped = train(halves, ResumeMode::Fresh, listener, control, stop.get_token());
    QVERIFY(!stopped);
    QCOMPARE(stopped.error().code, ErrorCode::Cancelled);
    const std::vector<double> rest = losses(halves, ResumeMode::Resume);
    seen.insert(seen.end(), rest.begin(), rest.end());
    QCOMPARE(seen, expected);
    QCOMPARE(contentOf(halves.out + "/model.safetensors"), contentOf(whole.out + "/model.safetensors"));
}

void TrainTest::killedRunGoesOnBitForBit()
{
    const Recipe whole = m_runs.scratch("unharmed", 13);
    Recipe killed = whole;
    killed.out = m_runs.file("killed");
    TrainingListener listener;
    // What lies on the disk in the middle of step 8 is what a killed process would leave.
    listener.step = [&](const StepMetrics &metrics) {
        if (metrics.step == 8)
            std::filesystem::copy(whole.out, killed.out, std::filesystem::copy_options::recursive);
    };
    QVERIFY(trainNow(whole, ResumeMode::Fresh, listener));
    QVERIFY(writeText(QString::fromStdString(killed.out) + "/checkpoints/writing", "half a checkpoint"));
    const std::vector<double> rest = losses(killed, ResumeMode::Resume);
    QCOMPARE(rest.size(), std::size_t{8}); // from the checkpoint after step 5
    QCOMPARE(contentOf(killed.out + "/model.safetensors"), contentOf(whole.out + "/model.safetensors"));
    const auto steps = [](const std::string &folder) {
        QByteArray text;
        for (const QByteArray &line : contentOf(folder + "/log.jsonl").split('\n'))
            if (line.contains("\"kind\":\"step\""))
                text += line.left(line.indexOf("\"seconds\"")) + '\n';
        return text;
    };
    QCOMPARE(steps(killed.out), steps(whole.out));
}

void TrainTest::damagedCheckpointIsPassedOver()
{
    const Recipe recipe = m_runs.scratch("damaged", 13);
    std::stop_source stop;
    TrainingListener listener;
    listener.step = [&](const StepMetrics &metrics) {
        if (metrics.step == 11)
            stop.request_stop();
    };
    TrainingControl control;
    QVERIFY(!train(recipe, ResumeMode::Fresh, listener, control, stop.get_token()));
    QVERIFY(QFile::resize(QString::fromStdString(recipe.out) + "/checkpoints/step-00000011/masters.safetensors", 1000));
    const std::vector<double> rest = losses(recipe, ResumeMode::Resume);
    QCOMPARE(rest.size(), std::size_t{3});
}

void TrainTest::accumulationGivesTheSameLosses()
{
    const std::vector<double> whole = losses(m_runs.scratch("at once", 6));
    Recipe recipe = m_runs.scratch("in parts", 6);
    recipe.microBatch = 3; // of 4: a full and a short part
    const std::vector<double> parts = losses(recipe);
    QCOMPARE(parts.size(), whole.size());
    for (std::size_t i = 0; i < whole.size(); ++i)
        QVERIFY2(std::abs(parts[i] - whole[i]) < 1e-5, qPrintable(QString::number(parts[i] - whole[i])));
}

void TrainTest::divergenceIsDiagnosed()
{
    Recipe recipe = m_runs.scratch("diverges", 60);
    recipe.stages[0].learningRate = recipe.stages[0].finalLearningRate = 1e30;
    recipe.optimiser.clip = 0;
    int notices = 0, skipped = 0;
    TrainingListener listener;
    listener.notice = [&](const TrainingNotice &) { ++notices; };
    listener.step = [&](const StepMetrics &metrics) { skipped += metrics.skipped; };
    const auto outcome = trainNow(recipe, ResumeMode::Fresh, listener);
    QVERIFY(!outcome);
    QCOMPARE(skipped, 10);
    QCOMPARE(notices, 10);
    QVERIFY2(outcome.error().what.find("come from the ") != std::string::npos, outcome.error().what.c_str());
    QVERIFY(outcome.error().advice.find("learning rate") != std::string::npos);
}

void TrainTest::otherRecipeIsNotResumed()
{
    Recipe recipe = m_runs.scratch("first recipe", 3);
    QVERIFY(trainNow(recipe));
    const auto again = trainNow(recipe);
    QVERIFY(!again);
    QCOMPARE(again.error().code, ErrorCode::InvalidArgument);
    recipe.batch = 2;
    const auto other = trainNow(recipe, ResumeMode::Resume);
    QVERIFY(!other);
    QCOMPARE(other.error().code, ErrorCode::Mismatch);
}

void TrainTest::personCanPauseExportAndStop()
{
    const Recipe recipe = m_runs.scratch("by hand", 1000);
    TrainingControl control;
    std::string exported;
    TrainingListener listener;
    std::jthread later;
    listener.step = [&](const StepMetrics &metrics) {
        if (metrics.step == 2)
            control.exportNow();
        if (metrics.step == 4) {
            control.pause();
            later = std::jthread([&] {
                QThread::msleep(50);
                control.stopAndKeep();
            });
        }
    };
    listener.exported = [&](const std::string &folder) { exported = folder; };
    EvaluationMetrics last;
    listener.evaluation = [&](const EvaluationMetrics &metrics) { last = metrics; };
    const auto outcome = train(recipe, ResumeMode::Fresh, listener, control);
    QVERIFY2(outcome.has_value(), outcome ? "" : toString(outcome.error()).c_str());
    QVERIFY(!outcome->finished);
    QCOMPARE(outcome->step, std::int64_t{4});
    QCOMPARE(last.step, std::int64_t{4});
    QCOMPARE(outcome->heldOutPerplexity, last.perplexity);
    QVERIFY(loadModel(exported, {}));
    QVERIFY(loadModel(outcome->folder, {}));
}

void TrainTest::missingDataIsNamed()
{
    Recipe recipe = m_runs.scratch("nothing to read", 3);
    recipe.data.files = {m_runs.file("absent.txt")};
    const auto outcome = trainNow(recipe);
    QVERIFY(!outcome);
    QVERIFY(toString(outcome.error()).find("absent.txt") != std::string::npos);
}

void TrainTest::perplexityThatIsNoNumberIsSurvived()
{
    Recipe recipe = m_runs.scratch("no number", 60);
    recipe.stages[0].learningRate = recipe.stages[0].finalLearningRate = 1e39;
    recipe.optimiser.clip = 0;
    recipe.evaluateEvery = recipe.sampleEvery = 1;
    recipe.samplePrompt = "One day";
    recipe.sampleTokens = 2;
    int missing = 0;
    TrainingListener listener;
    listener.notice = [&](const TrainingNotice &notice) { missing += notice.text.starts_with("there is no sample"); };
    // A sample that cannot be made ends nothing: the run comes to its diagnosis.
    QCOMPARE(trainNow(recipe, ResumeMode::Fresh, listener).error().code, ErrorCode::InvalidArgument);
    QVERIFY(missing > 0);
    const QByteArray position = contentOf(recipe.out + "/checkpoints/step-00000005/position.json");
    QVERIFY2(position.contains("\"perplexity\": 0"), position.constData());
    const auto resumed = trainNow(recipe, ResumeMode::Resume);
    QVERIFY2(resumed.error().what.find("in a row") != std::string::npos, toString(resumed.error()).c_str());
}

void TrainTest::impossiblePositionIsRefused()
{
    const Recipe recipe = m_runs.scratch("position", 5);
    QVERIFY(trainNow(recipe));
    const QString file = QString::fromStdString(recipe.out) + "/checkpoints/step-00000005/position.json";
    const QByteArray good = contentOf(file.toStdString());
    for (const auto &[from, to] : {std::pair{"\"stage_step\": 0", "\"stage_step\": 70"}, {"\"stage\": 1", "\"stage\": 2"},
                                   {"\"stage\": 1", "\"stage\": 0"}, {"\"step\": 5", "\"step\": 900000000"}}) {
        QVERIFY(good.contains(from));
        QVERIFY(writeText(file, QByteArray(good).replace(from, to)));
        const auto resumed = trainNow(recipe, ResumeMode::Resume);
        QVERIFY(!resumed);
        QCOMPARE(resumed.error().code, ErrorCode::Mismatch);
    }
    QVERIFY(writeText(file, QByteArray(good).replace("\"perplexity\": ", "\"perplexity\": null, \"was\": ")));
    QVERIFY(trainNow(recipe, ResumeMode::Resume));
}

void TrainTest::runWithoutCheckpointIsNotLost()
{
    const Recipe recipe = m_runs.scratch("early end", 3);
    Recipe begun = recipe, killed = recipe;
    begun.out = m_runs.file("begun");
    killed.out = m_runs.file("killed early");
    TrainingListener listener;
    listener.evaluation = [&](const EvaluationMetrics &metrics) {
        if (metrics.step == 0)
            std::filesystem::copy(recipe.out, begun.out, std::filesystem::copy_options::recursive);
    };
    listener.step = [&](const StepMetrics &metrics) {
        if (metrics.step == 2)
            std::filesystem::copy(recipe.out, killed.out, std::filesystem::copy_options::recursive);
    };
    QVERIFY(trainNow(recipe, ResumeMode::Fresh, listener));
    const QByteArray log = contentOf(killed.out + "/log.jsonl");
    const auto refused = trainNow(killed, ResumeMode::Resume);
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, ErrorCode::InvalidArgument);
    QCOMPARE(contentOf(killed.out + "/log.jsonl"), log);
    std::vector<std::string> notices;
    TrainingListener again;
    again.notice = [&](const TrainingNotice &notice) { notices.push_back(notice.text); };
    QVERIFY(trainNow(begun, ResumeMode::Resume, again));
    QCOMPARE(notices.size(), std::size_t{1});
    QVERIFY(notices[0].find("begins anew") != std::string::npos);
}

void TrainTest::wholeCheckpointIsLeftAlone()
{
    const Recipe recipe = m_runs.scratch("left alone", 8);
    TrainingControl control;
    TrainingListener listener;
    listener.step = [&](const StepMetrics &metrics) {
        if (metrics.step == 5)
            control.stopAndKeep();
    };
    QVERIFY(train(recipe, ResumeMode::Fresh, listener, control));
    const std::filesystem::path position = recipe.out + "/checkpoints/step-00000005/position.json";
    const auto written = std::filesystem::last_write_time(position);
    TrainingControl stopped;
    stopped.stopAndKeep();
    const auto outcome = train(recipe, ResumeMode::Resume, {}, stopped);
    QVERIFY(outcome.has_value());
    QCOMPARE(outcome->step, std::int64_t{5});
    QVERIFY(std::filesystem::last_write_time(position) == written);
}

void TrainTest::modelThatCannotBeWrittenIsTold()
{
    const Recipe recipe = m_runs.scratch("unwritable", 4);
    TrainingControl control;
    int failures = 0;
    TrainingListener listener;
    listener.step = [&](const StepMetrics &metrics) {
        if (metrics.step == 2 && writeText(QString::fromStdString(recipe.out) + "/now", "in the way"))
            control.exportNow();
    };
    listener.exportFailed = [&](const Error &) { ++failures; };
    QVERIFY(train(recipe, ResumeMode::Fresh, listener, control));
    QCOMPARE(failures, 1);
}

void TrainTest::logOutlivesAFullDisk()
{
    int notices = 0;
    TrainingListener listener;
    listener.notice = [&](const TrainingNotice &notice) { notices += notice.text.find("kept in memory") != std::string::npos; };
    const std::string file = m_runs.file("full.jsonl");
    auto log = RunLog::open(file, listener, -1);
    QVERIFY(log.has_value());
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit old{};
    QCOMPARE(::getrlimit(RLIMIT_FSIZE, &old), 0);
    const rlimit few{10, old.rlim_max};
    QCOMPARE(::setrlimit(RLIMIT_FSIZE, &few), 0);
    log->record(TrainingNotice{1, "a"});
    log->record(TrainingNotice{2, "b"});
    QCOMPARE(::setrlimit(RLIMIT_FSIZE, &old), 0);
    QCOMPARE(notices, 1);
    log->record(TrainingNotice{3, "c"});
    log->sync(3);
    QCOMPARE(contentOf(file).count('\n'), qsizetype{3});
}

void TrainTest::logLinesThatDoNotFitArePassedOver()
{
    const auto line = [](const char *layers, const char *heads, const char *activation, const char *fidelity) {
        return QByteArray(R"({"kind":"layers","step":1,"layers":)") + layers + R"(,"heads":)" + heads + R"(,"largest_activation":)"
               + activation + R"(,"output_error":[null,1],"head_fidelity":)" + fidelity + "}\n";
    };
    QVERIFY(writeText(m_runs.path("layers.jsonl"),
                      line("2", "1", "[1,2]", "[null,1]") + line("900000000000", "1", "[1,2]", "[1,1]") + line("2", "1", "[1]", "[1,1]")
                          + line("2", "9223372036854775807", "[1,2]", "[1,1]") + line("-2", "1", "[1,2]", "[1,1]")));
    std::vector<LayerMetrics> seen;
    TrainingListener listener;
    listener.layers = [&](const LayerMetrics &metrics) { seen.push_back(metrics); };
    QVERIFY(replayRunLog(m_runs.file("layers.jsonl"), listener));
    QCOMPARE(seen.size(), std::size_t{1});
    QCOMPARE(seen[0].layers, std::int64_t{2});
}

QTEST_GUILESS_MAIN(TrainTest)
#include "tst_train.moc"
