// What a run will be and what it will cost: the form of the training page.
#include "desk.h"
#include "uptrain/preflightcard.h"
#include "uptrain/stagetable.h"

#include <QSpinBox>

using namespace lens;
using namespace lens::test;

class RunFormTest : public TrainingPageTest {
    Q_OBJECT

private Q_SLOTS:
    void startWaitsForWhatIsMissing()
    {
        Desk desk(m_folder->path());
        QVERIFY(desk.isReady());
        PreflightCard &card = desk.page->form().preflight();
        QVERIFY(!card.canStart());
        QVERIFY2(card.reason().contains(QStringLiteral("text")), qPrintable(card.reason()));
        QCOMPARE(desk.training.estimates.load(), 0);
        desk.page->form().addFiles({desk.text});
        QTRY_COMPARE_WITH_TIMEOUT(card.reason(), QString(), Patience);
        QVERIFY(card.canStart());
        QVERIFY(desk.label(QStringLiteral("412 MB of 6.1 GB free")));
        QVERIFY(desk.label(QStringLiteral("about 12 min")));
    }

    void manyChangesAreEstimatedOnce()
    {
        Desk desk(m_folder->path());
        QVERIFY(desk.isReady());
        desk.page->form().addFiles({desk.text});
        QSpinBox *batch = nullptr;
        for (QSpinBox *box : desk.page->form().findChildren<QSpinBox *>()) {
            if (box->accessibleName() == QStringLiteral("Sequences a step"))
                batch = box;
        }
        for (int i = 1; i <= 20; ++i)
            batch->setValue(i);
        QTest::qWait(900);
        QCOMPARE(desk.training.estimates.load(), 1);
    }

    void theEstimateWarnsAndRefuses()
    {
        Desk desk(m_folder->path());
        desk.training.answer.warnings = {"the run needs 9.1 GiB, 7.8 GiB are free"};
        QVERIFY(desk.isReady());
        desk.page->form().addFiles({desk.text});
        QTRY_VERIFY_WITH_TIMEOUT(desk.label(QStringLiteral("9.1 GiB, 7.8 GiB are free")), Patience);
        QVERIFY(desk.page->form().preflight().canStart());
        desk.training.refusal = fail(ErrorCode::NotFound, "there is no such file", "/texts/gone.txt", "choose another");
        desk.page->form().addFiles({QStringLiteral("/texts/gone.txt")});
        QTRY_VERIFY_WITH_TIMEOUT(desk.page->form().preflight().reason().contains(QStringLiteral("no such file")), Patience);
        QVERIFY(!desk.page->form().preflight().canStart());
    }

    void theFormSaysWhatItShows()
    {
        Desk desk(m_folder->path());
        QVERIFY(desk.isReady());
        RunForm &form = desk.page->form();
        QCOMPARE(form.recipe().model, std::string("/models/tiny.gguf@supra"));
        QCOMPARE(form.runName(), QStringLiteral("tiny-supra"));
        QVERIFY(QString::fromStdString(form.recipe().out).endsWith(QStringLiteral("/runs/tiny-supra")));
        QVERIFY(desk.label(QStringLiteral("talks nonsense until it is uptrained")));
        Recipe other = fakeRecipe(m_folder->path().toStdString());
        other.model = "/models/tiny.gguf@supra:retnet:identity:seed=7:layers=0,2";
        other.seed = 7;
        other.learnDecay = true;
        other.optimiser.clip = 0.25;
        other.optimiser.weightDecay = 0.01;
        other.lora = {4, 4, {"q", "down"}};
        other.adapterStorage = "int8";
        other.stages[1].objective = Objective::Distillation;
        other.stages[1].cooldown = 12;
        other.stages[1].distillationWeight = 1.0 / 3;
        other.stages[1].temperature = 2;
        form.setRecipe(other);
        const Recipe shown = form.recipe();
        QCOMPARE(shown.stages, other.stages);
        QCOMPARE(shown.data.files, other.data.files);
        QCOMPARE(shown.sequenceLength, other.sequenceLength);
        QCOMPARE(shown.learnDecay, true);
        QVERIFY(shown.optimiser == other.optimiser);
        QVERIFY(shown.lora == other.lora);
        QCOMPARE(shown.adapterStorage, other.adapterStorage);
        QCOMPARE(shown.evaluateEvery, other.evaluateEvery);
        for (const char *part : {"supra", "retnet", "identity", "seed=7", "layers=0,2"})
            QVERIFY2(shown.model.find(part) != std::string::npos, shown.model.c_str());
        form.findChild<StageTable *>()->setStages(stagePresets()[1].stages);
        QCOMPARE(form.recipe().stages.size(), size_t(2));
        QCOMPARE(int(form.recipe().stages[1].trainable), int(Trainable::Adapter));
    }

    void stagesAreWritten()
    {
        StageTable table;
        table.show();
        const auto line = [&table](const QString &name) {
            for (QWidget *field : table.findChildren<QWidget *>()) {
                if (field->accessibleName() == name && field->isVisible())
                    return field;
            }
            return static_cast<QWidget *>(nullptr);
        };
        const auto write = [&line](const QString &name, const QString &text) {
            auto *spin = qobject_cast<QSpinBox *>(line(name));
            if (spin)
                spin->setValue(text.toInt());
            else
                qobject_cast<QLineEdit *>(line(name))->setText(text);
        };
        write(QStringLiteral("Steps of stage 1"), QStringLiteral("1000"));
        QCOMPARE(table.stages()[0].warmup, std::int64_t(50));
        write(QStringLiteral("Warm-up steps of stage 1"), QStringLiteral("7"));
        write(QStringLiteral("Steps of stage 1"), QStringLiteral("2000"));
        QCOMPARE(table.stages()[0].warmup, std::int64_t(7));
        write(QStringLiteral("Cool-down steps of stage 1"), QStringLiteral("100"));
        write(QStringLiteral("Learning rate of stage 1"), QStringLiteral("3e-3"));
        QVERIFY(std::abs(table.stages()[0].finalLearningRate - 1e-4) < 1e-12);
        write(QStringLiteral("Final learning rate of stage 1"), QStringLiteral("0"));
        write(QStringLiteral("Learning rate of stage 1"), QStringLiteral("1e-3"));
        QCOMPARE(table.stages()[0].finalLearningRate, 0.0);
        QVERIFY(!line(QStringLiteral("Temperature of distillation in stage 1")));
        auto *objective = qobject_cast<QComboBox *>(line(QStringLiteral("Objective of stage 1")));
        objective->setCurrentIndex(int(Objective::Distillation));
        write(QStringLiteral("Temperature of distillation in stage 1"), QStringLiteral("2"));
        write(QStringLiteral("Share of distillation in the loss of stage 1"), QStringLiteral("0.5"));
        const TrainingStage expected{Objective::Distillation, Trainable::All, 2000, 1e-3, 0, 7, 100, 0.5, 2};
        QCOMPARE(table.stages(), std::vector<TrainingStage>{expected});
        objective->setCurrentIndex(int(Objective::AttentionTransfer));
        QCOMPARE(int(table.stages()[0].trainable), int(Trainable::FeatureMaps));
        QVERIFY(!line(QStringLiteral("What stage 1 trains"))->isEnabled());
    }
};

QTEST_MAIN(RunFormTest)
#include "tst_runform.moc"
