// Recipes: what is accepted, how they are kept; and the learning rate over a stage.
#include "uptrain/recipe.h"
#include "uptrain/schedule.h"

#include <QtTest>
#include <nlohmann/json.hpp>

using namespace lens;

namespace {

Recipe complete()
{
    Recipe recipe;
    recipe.model = "some.gguf@supra";
    recipe.data.files = {"a.txt", "b.jsonl.gz"};
    recipe.stages = {{Objective::AttentionTransfer, Trainable::FeatureMaps, 10, 1e-2, 1e-3, 1, 2, 1, 1},
                     {Objective::Distillation, Trainable::Adapter, 20, 1e-3, 0, 0, 0, 0.5, 2}};
    recipe.lora.targets = {"q", "down"};
    recipe.learnDecay = true;
    recipe.seed = 18446744073709551615ull;
    recipe.out = "somewhere";
    return recipe;
}

} // namespace

class RecipeTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void isKeptAsJson();
    void unknownAndWrongKeysAreRefused_data();
    void unknownAndWrongKeysAreRefused();
    void nonsenseIsRefused_data();
    void nonsenseIsRefused();
    void rateRisesFallsAndCools();
};

void RecipeTest::isKeptAsJson()
{
    const Recipe recipe = complete();
    QVERIFY(validate(recipe).has_value());
    const auto back = recipeFromJson(nlohmann::json::parse(toJson(recipe).dump()), "recipe.json");
    QVERIFY2(back.has_value(), back ? "" : toString(back.error()).c_str());
    QVERIFY(*back == recipe);
    QCOMPARE(totalSteps(*back), std::int64_t{30});
}

void RecipeTest::unknownAndWrongKeysAreRefused_data()
{
    QTest::addColumn<QString>("json");
    QTest::addColumn<QString>("named");
    QTest::newRow("unknown key") << R"({"modle": "x"})" << "modle";
    QTest::newRow("text for a number") << R"({"batch": "8"})" << "batch";
    QTest::newRow("fraction for a count") << R"({"batch": 8.5})" << "batch";
    QTest::newRow("unknown objective") << R"({"stages": [{"objective": "guess"}]})" << "stages[0], objective";
    QTest::newRow("no list") << R"({"stages": 3})" << "stages";
    QTest::newRow("files are no names") << R"({"data": {"files": [1]}})" << "data, files";
    QTest::newRow("no object") << R"([1])" << "recipe.json";
}

void RecipeTest::unknownAndWrongKeysAreRefused()
{
    QFETCH(QString, json);
    QFETCH(QString, named);
    const auto recipe = recipeFromJson(nlohmann::json::parse(json.toStdString()), "recipe.json");
    QVERIFY(!recipe);
    QCOMPARE(recipe.error().code, ErrorCode::Malformed);
    QVERIFY2(QString::fromStdString(toString(recipe.error())).contains(named), toString(recipe.error()).c_str());
}

void RecipeTest::nonsenseIsRefused_data()
{
    QTest::addColumn<int>("which");
    for (int i = 0; i < 12; ++i)
        QTest::addRow("%d", i) << i;
}

void RecipeTest::nonsenseIsRefused()
{
    QFETCH(int, which);
    Recipe recipe = complete();
    switch (which) {
    case 0: recipe.model.clear(); break;
    case 1: recipe.scratch = "config.json"; break;
    case 2: recipe.data.files.clear(); break;
    case 3: recipe.data.heldOut = 0; break;
    case 4: recipe.stages.clear(); break;
    case 5: recipe.stages[0].warmup = 9; break;
    case 6: recipe.stages[0].trainable = Trainable::All; break;
    case 7: recipe.stages[1].learningRate = std::nan(""); break;
    case 8: recipe.stages.push_back({Objective::CrossEntropy, Trainable::All, 1, 1e-3, 0, 0, 0, 1, 1}); break;
    case 9: recipe.lora.targets = {"norm"}; break;
    case 10: recipe.dtype = "float16"; break;
    case 11: recipe.out.clear(); break;
    }
    const auto valid = validate(recipe);
    QVERIFY(!valid);
    QCOMPARE(valid.error().code, ErrorCode::InvalidArgument);
    QVERIFY(!valid.error().what.empty());
}

void RecipeTest::rateRisesFallsAndCools()
{
    TrainingStage stage;
    stage.steps = 100;
    stage.learningRate = 1e-3;
    stage.finalLearningRate = 1e-4;
    stage.warmup = 10;
    stage.cooldown = 20;
    QCOMPARE(learningRateAt(stage, 0), 1e-4);
    QCOMPARE(learningRateAt(stage, 9), 1e-3);
    QCOMPARE(learningRateAt(stage, 10), 1e-3);
    QVERIFY(std::abs(learningRateAt(stage, 79) - 1e-4) < 1e-12);
    for (std::int64_t step = 11; step < 100; ++step)
        QVERIFY2(learningRateAt(stage, step) <= learningRateAt(stage, step - 1) && learningRateAt(stage, step) > 0,
                 qPrintable(QString::number(step)));
    QVERIFY(learningRateAt(stage, 99) < 1e-5);
    stage.steps = 1;
    stage.warmup = stage.cooldown = 0;
    QCOMPARE(learningRateAt(stage, 0), 1e-3);
}

QTEST_APPLESS_MAIN(RecipeTest)
#include "tst_recipe.moc"
