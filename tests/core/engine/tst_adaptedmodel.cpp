// Adapters as models: trained, found and opened with the base they belong to.
#include "checkpoint/adapterfile.h"
#include "engine/engine.h"
#include "engine/specification.h"
#include "core/uptrain/smallruns.h"
#include "fixtures.h"
#include "uptrain/uptrain.h"

#include <filesystem>

using namespace lens;
using namespace lens::test;

namespace fs = std::filesystem;

class TestAdaptedModel : public QObject
{
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void specificationsNameAdapters();
    void theRunOpensAsAModel();
    void besideItsBase();
    void withItsBaseByName();
    void amongTheModelsByItsWeights();
    void withoutItsBase();
    void onAnotherBase();
    void savesAsAModelOfItsOwn();
    void storageIsTheRecipes();

private:
    /// An otherwise empty folder.
    std::string place(const char *name)
    {
        const fs::path folder = m_runs.file(QString::fromLatin1(name));
        fs::remove_all(folder);
        fs::create_directories(folder);
        return folder.string();
    }
    std::string copyAdapter(const std::string &folder, const char *name = "small-supra.safetensors")
    {
        fs::copy_file(fs::path(m_run) / adapterFileName, fs::path(folder) / name);
        return (fs::path(folder) / name).string();
    }

    SmallRuns m_runs;
    std::string m_base, m_run;
    LoadOptions m_options;  // no folders of this machine
};

void TestAdaptedModel::initTestCase()
{
    TrainingControl control;
    const auto base = train(m_runs.scratch("base", 20), ResumeMode::Fresh, {}, control);
    QVERIFY2(base, base ? "" : toString(base.error()).c_str());
    m_base = base->folder;
    Recipe recipe = m_runs.uptrain("run", m_base + "@supra:relu-per-head",
                                   {Objective::CrossEntropy, Trainable::Adapter, 10, 5e-3, 1e-3, 2, 0, 1, 1});
    recipe.learnDecay = recipe.learnScale = true;
    recipe.lora.rank = 2;
    recipe.adapterStorage = "float32";
    const auto run = train(recipe, ResumeMode::Fresh, {}, control);
    QVERIFY2(run, run ? "" : toString(run.error()).c_str());
    m_run = run->folder;
    m_options.modelFolders = {place("no models")};
}

void TestAdaptedModel::specificationsNameAdapters()
{
    const auto parsed = parseSpecification("base.gguf@adapter=x@y.safetensors");
    QVERIFY(!parsed);  // neither a conversion nor a file that is there
    const auto plain = parseSpecification("base.gguf@adapter=/some/where.safetensors");
    QVERIFY(plain && plain->adapter && !plain->conversion);
    QCOMPARE(plain->model, std::string("base.gguf"));
    QCOMPARE(*plain->adapter, std::string("/some/where.safetensors"));
}

void TestAdaptedModel::theRunOpensAsAModel()
{
    QVERIFY(fs::exists(fs::path(m_run) / adapterFileName));
    QVERIFY(!fs::exists(fs::path(m_run) / "model.safetensors"));
    const auto inspected = inspectModel(m_run);
    QVERIFY2(inspected, inspected ? "" : toString(inspected.error()).c_str());
    const auto loaded = loadModel(m_run, m_options);
    QVERIFY2(loaded, loaded ? "" : toString(loaded.error()).c_str());
    const auto base = loadModel(m_base, m_options);
    QVERIFY(base);
    for (const ModelInfo *info : {&*inspected, &(*loaded)->info()}) {
        QCOMPARE(info->name, std::string("base (SUPRA adapter)"));
        QCOMPARE(info->mixer, std::string("supra"));
        QCOMPARE(info->base, (*base)->info().path);
        QVERIFY(!info->untrained);
        QVERIFY(info->origin.find("base@supra:relu-per-head") != std::string::npos);
        QVERIFY(info->origin.find("/") == std::string::npos);
        QVERIFY(info->fileBytes > (*base)->info().fileBytes);
    }
    QVERIFY((*loaded)->tokenizer());
    QVERIFY(!(*loaded)->info().fingerprint.empty() && (*loaded)->info().fingerprint != (*base)->info().fingerprint);
}

void TestAdaptedModel::besideItsBase()
{
    const std::string folder = place("beside");
    fs::copy(m_base, fs::path(folder) / "base");
    QVERIFY(loadModel(copyAdapter(folder), m_options));
}

void TestAdaptedModel::withItsBaseByName()
{
    const std::string folder = place("elsewhere");
    const auto loaded = loadModel(m_base + "@adapter=" + copyAdapter(folder), m_options);
    QVERIFY2(loaded, loaded ? "" : toString(loaded.error()).c_str());
    const auto again = loadModel((*loaded)->info().path, m_options);
    QVERIFY(again);
    QCOMPARE((*again)->info().fingerprint, (*loaded)->info().fingerprint);
    QVERIFY(!loadModel(m_base + "@adapter=" + folder + "/other.safetensors", m_options));
}

void TestAdaptedModel::amongTheModelsByItsWeights()
{
    const std::string folder = place("apart/inner"), models = place("models");
    fs::copy(m_base, fs::path(models) / "renamed");
    LoadOptions options;
    options.modelFolders = {models};
    const auto loaded = loadModel(copyAdapter(folder), options);
    QVERIFY2(loaded, loaded ? "" : toString(loaded.error()).c_str());
    QCOMPARE((*loaded)->info().name, std::string("renamed (SUPRA adapter)"));
}

void TestAdaptedModel::withoutItsBase()
{
    const std::string folder = place("alone/inner");
    const auto loaded = loadModel(copyAdapter(folder), m_options);
    QVERIFY(!loaded);
    QCOMPARE(loaded.error().code, ErrorCode::NotFound);
    QVERIFY(loaded.error().what.find("base") != std::string::npos);
    QVERIFY(loaded.error().advice.find(folder) != std::string::npos);
    QVERIFY(loaded.error().advice.find(m_options.modelFolders.front()) != std::string::npos);
}

void TestAdaptedModel::onAnotherBase()
{
    TrainingControl control;
    const auto other = train(m_runs.scratch("another", 3), ResumeMode::Fresh, {}, control);
    QVERIFY(other);
    const std::string adapter = copyAdapter(place("with another"));
    const auto loaded = loadModel(other->folder + "@adapter=" + adapter, m_options);
    QCOMPARE(loaded.error().code, ErrorCode::Mismatch);
    QVERIFY(loaded.error().what.find("base") != std::string::npos && loaded.error().what.find("another") != std::string::npos);
}

void TestAdaptedModel::savesAsAModelOfItsOwn()
{
    const auto loaded = loadModel(m_run, m_options);
    QVERIFY(loaded);
    const std::string folder = place("whole");
    const auto saved = saveModel(**loaded, folder, SaveFormat::SupraLens);
    QVERIFY2(saved, saved ? "" : toString(saved.error()).c_str());
    const auto back = loadModel(folder, m_options);
    QVERIFY2(back, back ? "" : toString(back.error()).c_str());
    QVERIFY((*back)->tokenizer() && (*back)->info().base.empty());
    const std::vector<TokenId> ids{1, 20, 30, 40, 50, 60};
    const auto compared = compareForced(**loaded, **back, ids);
    QVERIFY(compared);
}

void TestAdaptedModel::storageIsTheRecipes()
{
    TrainingControl control;
    Recipe recipe = m_runs.uptrain("small", m_base + "@supra:relu-per-head",
                                   {Objective::CrossEntropy, Trainable::Adapter, 1, 5e-3, 1e-3, 0, 0, 1, 1});
    recipe.adapterStorage = "int8";
    std::vector<std::string> notices;
    TrainingListener listener;
    listener.notice = [&](const TrainingNotice &notice) { notices.push_back(notice.text); };
    QVERIFY(train(recipe, ResumeMode::Fresh, listener, control));
    QVERIFY(!notices.empty() && notices.back().find("int8") != std::string::npos);
    QVERIFY(loadModel(recipe.out, m_options));
}

QTEST_GUILESS_MAIN(TestAdaptedModel)
#include "tst_adaptedmodel.moc"
