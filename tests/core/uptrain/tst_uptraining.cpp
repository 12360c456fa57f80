// From a softmax model to a linear one: what conversion loses, what each objective brings back, and that the result
// runs as a recurrent network.
#include "smallruns.h"

#include "engine/dump.h"
#include "engine/engine.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QtEndian>
#include <QtTest>
#include <cmath>

using namespace lens;
using namespace lens::test;

namespace {

struct Watched {
    Result<TrainingOutcome> outcome = fail(ErrorCode::Internal, "");
    std::vector<double> losses, perplexities;
    std::vector<LayerMetrics> layers;
};

Watched watch(const Recipe &recipe)
{
    Watched watched;
    TrainingListener listener;
    listener.step = [&](const StepMetrics &metrics) { watched.losses.push_back(metrics.loss); };
    listener.evaluation = [&](const EvaluationMetrics &metrics) { watched.perplexities.push_back(metrics.perplexity); };
    listener.layers = [&](const LayerMetrics &metrics) { watched.layers.push_back(metrics); };
    TrainingControl control;
    watched.outcome = train(recipe, ResumeMode::Fresh, listener, control);
    if (!watched.outcome)
        qWarning("%s", toString(watched.outcome.error()).c_str());
    return watched;
}

TrainingStage stage(Objective objective, Trainable trainable, std::int64_t steps, double rate)
{
    return {objective, trainable, steps, rate, rate / 10, 3, 0, 1, 1};
}

/// Of a safetensors file; empty when it has no such tensor.
QByteArray tensorBytes(const std::string &path, const char *name)
{
    QFile file(QString::fromStdString(path));
    if (!file.open(QIODevice::ReadOnly))
        return {};
    const QByteArray all = file.readAll();
    const auto header = qsizetype(qFromLittleEndian<quint64>(all.constData()));
    const QJsonArray range = QJsonDocument::fromJson(all.mid(8, header)).object()[name].toObject()["data_offsets"].toArray();
    return range.size() == 2 ? all.mid(8 + header + range[0].toInt(), range[1].toInt() - range[0].toInt()) : QByteArray();
}

} // namespace

class UptrainingTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void recoversWhatConversionLost_data();
    void recoversWhatConversionLost();
    void transferLowersEveryLayersError();
    void transferDoesNotDependOnTheParts();
    void stagesThatTrainNothingAreRefused();
    void ranksThatAreTooLargeAreRefused();
    void originalOfOtherSizes();
    void fittedScalesSurviveAStopBeforeTheFirstStep();
    void originalIsMeasuredOnTheSameTokens();
    void scalesBeginWhereTheyFit();
    void adapterStagesFollowEachOther();
    void frozenWeightsAreNotRounded();
    void adaptersCanBeTrainedOn();
    void hybridsKeepTheirSoftmaxLayers();
    void resultRunsAsARecurrentNetwork();
    void bfloat16FollowsFloat32();

private:
    std::string softmax(const char *conversion) const { return m_softmax + "@" + conversion; }

    SmallRuns m_runs;
    std::string m_softmax;
    double m_softmaxPerplexity = 0;
};

void UptrainingTest::initTestCase()
{
    qputenv("XDG_CACHE_HOME", m_runs.file("xdg").c_str());
    const Watched trained = watch(m_runs.scratch("softmax", 60));
    QVERIFY(trained.outcome.has_value());
    m_softmax = trained.outcome->folder;
    m_softmaxPerplexity = trained.outcome->heldOutPerplexity;
}

void UptrainingTest::recoversWhatConversionLost_data()
{
    QTest::addColumn<QString>("conversion");
    QTest::addColumn<Objective>("objective");
    QTest::newRow("SUPRA") << "supra" << Objective::CrossEntropy;
    QTest::newRow("SUPRA without decay") << "supra:none" << Objective::CrossEntropy;
    QTest::newRow("SUPRA, distilled") << "supra" << Objective::Distillation;
    QTest::newRow("T2R") << "t2r" << Objective::CrossEntropy;
    QTest::newRow("elu + 1") << "linear" << Objective::CrossEntropy;
    QTest::newRow("Hedgehog") << "linear:hedgehog" << Objective::CrossEntropy;
}

void UptrainingTest::recoversWhatConversionLost()
{
    QFETCH(QString, conversion);
    QFETCH(Objective, objective);
    const Watched run = watch(m_runs.uptrain(QString(QTest::currentDataTag()), softmax(qPrintable(conversion)),
                                             stage(objective, Trainable::All, 25, 1e-2)));
    QVERIFY(run.outcome.has_value());
    const double before = std::log(run.perplexities.front()), after = std::log(run.perplexities.back());
    const double original = std::log(m_softmaxPerplexity);
    QVERIFY(std::abs(std::log(run.outcome->originalPerplexity) - original) < 1e-6);
    QVERIFY2(before > original + 0.2, qPrintable(QString("conversion lost only %1").arg(before - original)));
    const double recovered = (before - after) / (before - original);
    QVERIFY2(recovered > 0.8, qPrintable(QString("recovered %1").arg(recovered)));
}

void UptrainingTest::transferLowersEveryLayersError()
{
    const Watched run = watch(m_runs.uptrain("transfer", softmax("supra"), stage(Objective::AttentionTransfer, Trainable::FeatureMaps, 20, 2e-2)));
    QVERIFY(run.outcome.has_value());
    const LayerMetrics &first = run.layers.front(), &last = run.layers.back();
    QCOMPARE(first.layers, std::int64_t{2});
    QCOMPARE(first.heads, std::int64_t{4});
    for (std::size_t i = 0; i < 2; ++i)
        QVERIFY2(last.outputError[i] < 0.9f * first.outputError[i], qPrintable(QString("%1 -> %2").arg(first.outputError[i]).arg(last.outputError[i])));
    QVERIFY(run.perplexities.back() < run.perplexities.front());
}

void UptrainingTest::transferDoesNotDependOnTheParts()
{
    Recipe recipe = m_runs.uptrain("transfer at once", softmax("supra"), stage(Objective::AttentionTransfer, Trainable::FeatureMaps, 5, 1e-2));
    const Watched whole = watch(recipe);
    recipe.out = m_runs.file("transfer in parts");
    recipe.microBatch = 3; // of 4: a full and a short part
    const Watched parts = watch(recipe);
    QCOMPARE(parts.losses.size(), whole.losses.size());
    for (std::size_t i = 0; i < whole.losses.size(); ++i)
        QVERIFY2(std::abs(parts.losses[i] / whole.losses[i] - 1) < 1e-5, qPrintable(QString::number(parts.losses[i] / whole.losses[i] - 1)));
}

void UptrainingTest::stagesThatTrainNothingAreRefused()
{
    const TrainingStage maps = stage(Objective::AttentionTransfer, Trainable::FeatureMaps, 3, 1e-2);
    for (const std::string &model : {softmax("linear"), m_softmax}) {
        Recipe recipe = m_runs.uptrain("nothing", model, maps);
        recipe.original = m_softmax;
        const Watched run = watch(recipe);
        QVERIFY(!run.outcome);
        QCOMPARE(run.outcome.error().code, ErrorCode::InvalidArgument);
        QVERIFY(run.outcome.error().what.find("stage 1 trains nothing") != std::string::npos);
    }
}

void UptrainingTest::ranksThatAreTooLargeAreRefused()
{
    Recipe recipe = m_runs.uptrain("rank", softmax("supra"), stage(Objective::CrossEntropy, Trainable::Adapter, 3, 1e-2));
    recipe.lora.rank = 17; // keys have 2 heads of 8
    recipe.lora.targets = {"q", "k"};
    const Watched run = watch(recipe);
    QVERIFY(!run.outcome);
    QCOMPARE(run.outcome.error().code, ErrorCode::InvalidArgument);
    QCOMPARE(estimateTraining(recipe).error().code, ErrorCode::InvalidArgument);
    recipe.lora.rank = 16;
    QVERIFY(estimateTraining(recipe));
    QVERIFY(watch(recipe).outcome);
}

void UptrainingTest::originalOfOtherSizes()
{
    QVERIFY(writeText(m_runs.path("narrow.json"), R"({"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
                                                      "num_attention_heads": 2, "num_key_value_heads": 2,
                                                      "max_position_embeddings": 64, "tie_word_embeddings": true})"));
    Recipe small = m_runs.scratch("small original", 2);
    small.scratch = m_runs.file("narrow.json");
    QVERIFY(watch(small).outcome);
    Recipe recipe = m_runs.uptrain("other sizes", softmax("supra"), stage(Objective::AttentionTransfer, Trainable::FeatureMaps, 3, 1e-2));
    recipe.original = small.out;
    QCOMPARE(watch(recipe).outcome.error().code, ErrorCode::Mismatch);
    recipe.stages = {stage(Objective::Distillation, Trainable::All, 3, 1e-3)};
    recipe.learnScale = true;
    const Watched run = watch(recipe);
    QVERIFY(run.outcome);
    QVERIFY(std::isnan(run.layers.back().outputError[0]) && run.layers.back().largestActivation[0] > 0);
}

void UptrainingTest::fittedScalesSurviveAStopBeforeTheFirstStep()
{
    Recipe recipe = m_runs.uptrain("not stopped", softmax("supra"), stage(Objective::AttentionTransfer, Trainable::FeatureMaps, 4, 1e-4));
    recipe.learnScale = true;
    const Watched expected = watch(recipe);
    recipe.out = m_runs.file("stopped at once");
    std::stop_source stop;
    int evaluations = 0;
    std::vector<double> losses;
    TrainingListener listener;
    listener.evaluation = [&](const EvaluationMetrics &) { ++evaluations; };
    listener.step = [&](const StepMetrics &metrics) { losses.push_back(metrics.loss); };
    listener.layers = [&](const LayerMetrics &) { stop.request_stop(); };
    TrainingControl control;
    QCOMPARE(train(recipe, ResumeMode::Fresh, listener, control, stop.get_token()).error().code, ErrorCode::Cancelled);
    QVERIFY(losses.empty());
    const auto resumed = train(recipe, ResumeMode::Resume, listener, control);
    QVERIFY2(resumed.has_value(), resumed ? "" : toString(resumed.error()).c_str());
    QCOMPARE(losses, expected.losses);
    QCOMPARE(evaluations, 2);
}

void UptrainingTest::originalIsMeasuredOnTheSameTokens()
{
    Recipe recipe = m_runs.uptrain("fewer tokens", softmax("supra"), stage(Objective::CrossEntropy, Trainable::All, 4, 1e-3));
    std::stop_source stop;
    std::vector<double> originals;
    TrainingListener listener;
    listener.evaluation = [&](const EvaluationMetrics &metrics) { originals.push_back(metrics.originalPerplexity); };
    listener.step = [&](const StepMetrics &) { stop.request_stop(); };
    TrainingControl control;
    QVERIFY(!train(recipe, ResumeMode::Fresh, listener, control, stop.get_token()));
    recipe.evaluationTokens = 96;
    const auto resumed = train(recipe, ResumeMode::Resume, listener, control);
    QVERIFY(resumed);
    QVERIFY(originals.size() == 2 && originals[0] > 0 && originals[1] > 0 && originals[0] != originals[1]);
    QCOMPARE(resumed->originalPerplexity, originals[1]);
}

void UptrainingTest::scalesBeginWhereTheyFit()
{
    Recipe recipe = m_runs.uptrain("unscaled", softmax("supra"), stage(Objective::AttentionTransfer, Trainable::FeatureMaps, 4, 1e-6));
    const Watched unscaled = watch(recipe);
    recipe.out = m_runs.file("scaled");
    recipe.learnScale = true;
    const Watched scaled = watch(recipe);
    QVERIFY(unscaled.outcome.has_value() && scaled.outcome.has_value());
    for (std::size_t i = 0; i < 2; ++i) {
        QCOMPARE(scaled.layers.front().outputError[i], unscaled.layers.front().outputError[i]);
        QVERIFY(scaled.layers.back().outputError[i] < 1);
        QVERIFY(scaled.layers.back().outputError[i] < 0.9f * unscaled.layers.back().outputError[i]);
    }
}

void UptrainingTest::adapterStagesFollowEachOther()
{
    Recipe recipe = m_runs.uptrain("stages", softmax("supra"), stage(Objective::AttentionTransfer, Trainable::FeatureMaps, 10, 1e-2));
    recipe.stages.push_back(stage(Objective::CrossEntropy, Trainable::Adapter, 20, 1e-2));
    recipe.learnScale = recipe.learnDecay = true;
    recipe.evaluateEvery = 0;
    const Watched run = watch(recipe);
    QVERIFY(run.outcome.has_value());
    QCOMPARE(run.perplexities.size(), std::size_t{3}); // before, between, after
    QVERIFY2(run.perplexities[2] < run.perplexities[1] && run.perplexities[1] < run.perplexities[0],
             qPrintable(QString("%1 %2 %3").arg(run.perplexities[0]).arg(run.perplexities[1]).arg(run.perplexities[2])));
    const auto model = loadModel(run.outcome->folder, {});
    QVERIFY2(model.has_value(), model ? "" : toString(model.error()).c_str());
    const std::vector<double> &gamma = (*model)->info().layers[0].gamma;
    const auto fresh = loadModel(softmax("supra"), {});
    QVERIFY(gamma != (*fresh)->info().layers[0].gamma);
    for (const double value : gamma)
        QVERIFY(value > 0 && value <= 1);
}

void UptrainingTest::frozenWeightsAreNotRounded()
{
    Recipe recipe = m_runs.uptrain("adapter", softmax("supra"), stage(Objective::CrossEntropy, Trainable::FeatureMaps, 3, 1e-2));
    QVERIFY(watch(recipe).outcome);
    recipe.model = recipe.out; // not of one conversion any more, so that the result is a whole model
    recipe.out = m_runs.file("whole");
    recipe.dtype = "bfloat16";
    QVERIFY(watch(recipe).outcome);
    const QByteArray before = tensorBytes(m_softmax + "/model.safetensors", "embedding.weight");
    QVERIFY(!before.isEmpty());
    QVERIFY(tensorBytes(recipe.out + "/model.safetensors", "embedding.weight") == before);
}

void UptrainingTest::adaptersCanBeTrainedOn()
{
    const Watched first = watch(m_runs.uptrain("first adapter", softmax("supra"), stage(Objective::CrossEntropy, Trainable::Adapter, 20, 1e-2)));
    QVERIFY(first.outcome.has_value());
    const std::string adapter = first.outcome->folder + "/adapter.safetensors";
    for (const std::string &model : {m_softmax + "@adapter=" + adapter, first.outcome->folder}) {
        const Watched second = watch(m_runs.uptrain("further", model, stage(Objective::Distillation, Trainable::FeatureMaps, 4, 1e-6)));
        QVERIFY2(second.outcome.has_value(), second.outcome ? "" : toString(second.outcome.error()).c_str());
        QVERIFY(std::abs(std::log(second.perplexities.front() / first.perplexities.back())) < 1e-3);
        QVERIFY(std::abs(std::log(second.outcome->originalPerplexity / m_softmaxPerplexity)) < 1e-6);
        QVERIFY(QDir(QString::fromStdString(second.outcome->folder)).removeRecursively());
    }
}

void UptrainingTest::hybridsKeepTheirSoftmaxLayers()
{
    const Watched run = watch(m_runs.uptrain("hybrid", softmax("supra:layers=1"), stage(Objective::CrossEntropy, Trainable::All, 5, 1e-3)));
    QVERIFY(run.outcome.has_value());
    QVERIFY(std::isnan(run.layers.back().outputError[0]));
    QVERIFY(std::isfinite(run.layers.back().outputError[1]));
    const auto model = loadModel(run.outcome->folder, {});
    QVERIFY(model);
    QCOMPARE((*model)->info().mixer, std::string("hybrid"));
}

void UptrainingTest::resultRunsAsARecurrentNetwork()
{
    Recipe recipe = m_runs.uptrain("recurrent", softmax("supra"), stage(Objective::CrossEntropy, Trainable::All, 8, 5e-3));
    recipe.learnDecay = recipe.learnScale = true;
    const Watched run = watch(recipe);
    QVERIFY(run.outcome.has_value());
    const auto model = loadModel(run.outcome->folder, {});
    QVERIFY(model);
    const auto ids = (*model)->tokenizer()->encode(madeUpStories(2, 9).toStdString());
    QVERIFY(ids);
    // One pass over the whole text against one token after the other.
    auto whole = DecodeSession::create(*model), single = DecodeSession::create(*model);
    GenerationOptions options;
    options.maxTokens = 20;
    options.ignoreEndOfText = true;
    const auto expected = (*whole)->generate(*ids, options, {}, {});
    QVERIFY(expected);
    options.maxTokens = 1;
    for (std::size_t length = 1; length <= ids->size(); ++length)
        QVERIFY((*single)->generate(std::span(*ids).first(length), options, {}, {}));
    options.maxTokens = 20;
    const auto stepped = (*single)->generate(*ids, options, {}, {});
    QVERIFY(stepped);
    QCOMPARE(stepped->ids, expected->ids);
}

void UptrainingTest::bfloat16FollowsFloat32()
{
    Recipe recipe = m_runs.uptrain("wide", softmax("supra"), stage(Objective::CrossEntropy, Trainable::All, 8, 2e-3));
    const Watched wide = watch(recipe);
    recipe.out = m_runs.file("narrow");
    recipe.dtype = "bfloat16";
    const Watched narrow = watch(recipe);
    QVERIFY(wide.outcome && narrow.outcome);
    // Training multiplies every rounding, so only the first steps can be compared closely.
    for (std::size_t i = 0; i < 3; ++i)
        QVERIFY2(std::abs(narrow.losses[i] / wide.losses[i] - 1) < 0.01,
                 qPrintable(QString("step %1: %2, %3").arg(i).arg(narrow.losses[i]).arg(wide.losses[i])));
    QVERIFY(narrow.perplexities.back() < narrow.perplexities.front() / 1.5);
}

QTEST_GUILESS_MAIN(UptrainingTest)
#include "tst_uptraining.moc"
