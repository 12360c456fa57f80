// The dialog that asks how to convert: what is written in it becomes the options, and nonsense cannot be sent off.
#include "models/convertdialog.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QFormLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QTest>

using namespace lens;

using Layers = std::vector<std::int64_t>;

class TestConvertDialog : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void readsLayers()
    {
        QCOMPARE(layersFromText(QStringLiteral(" "), 5), Layers());
        QCOMPARE(layersFromText(QStringLiteral("3, 0 , 1-2"), 5), (Layers{0, 1, 2, 3}));
        QCOMPARE(layersFromText(QStringLiteral("4–4,4"), 5), Layers{4});
        QCOMPARE(layersFromText(QStringLiteral("0-4"), 5), Layers());
    }

    void refusesWhatIsNoLayer_data()
    {
        QTest::addColumn<QString>("text");
        for (const char *text : {"5", "0-5", "3-1", "-1", "1,", ",", "a", "1 2", "99999999999"})
            QTest::newRow(text) << QString::fromLatin1(text);
    }

    void refusesWhatIsNoLayer()
    {
        QFETCH(QString, text);
        QVERIFY(!layersFromText(text, 5));
    }

    void choicesBecomeOptions()
    {
        ConvertDialog dialog(QStringLiteral("a model"), 5, 4);
        const QList<QComboBox *> boxes = dialog.findChildren<QComboBox *>();
        const QList<QLineEdit *> lines{line(dialog, QStringLiteral("Seed")), line(dialog, QStringLiteral("Layers"))};
        QPushButton *convert = dialog.findChild<QDialogButtonBox *>()->button(QDialogButtonBox::Ok);
        QCOMPARE(toString(dialog.options()), std::string("supra"));
        boxes[1]->setCurrentIndex(1);
        lines[1]->setText(QStringLiteral("1-2"));
        QVERIFY(convert->isEnabled());
        QCOMPARE(toString(dialog.options()), std::string("supra:retnet:layers=1,2"));
        boxes[0]->setCurrentIndex(1);
        QVERIFY(!boxes[1]->isEnabled());
        QCOMPARE(toString(dialog.options()), std::string("t2r:layers=1,2"));
        lines[1]->setText(QStringLiteral("7"));
        QVERIFY(!convert->isEnabled());
        lines[1]->clear();
        lines[0]->clear();
        QVERIFY(!convert->isEnabled());
    }

    void readsDecays()
    {
        using Gammas = std::vector<double>;
        QCOMPARE(gammasFromText(QStringLiteral("0.9"), 3), (Gammas{0.9, 0.9, 0.9}));
        QCOMPARE(gammasFromText(QStringLiteral(" 0.5, .75 ,1"), 3), (Gammas{0.5, 0.75, 1}));
        for (const char *text : {"", "0.9,0.9", "0,1,1", "1.1", "-0.5", "a", "0.9,,0.9", "0.9;0.9;0.9", "nan"})
            QVERIFY2(!gammasFromText(QString::fromLatin1(text), 3), text);
    }

    void ownDecaysArePartOfTheConversion()
    {
        ConvertDialog dialog(QStringLiteral("a model"), 5, 4);
        const QList<QComboBox *> boxes = dialog.findChildren<QComboBox *>();
        QLineEdit *gammas = line(dialog, QStringLiteral("Own decays"));
        QPushButton *convert = dialog.findChild<QDialogButtonBox *>()->button(QDialogButtonBox::Ok);
        QVERIFY(!gammas->isEnabled());
        boxes[1]->setCurrentIndex(3);
        QVERIFY(gammas->isEnabled() && !convert->isEnabled());
        gammas->setText(QStringLiteral("0.9, 0.99"));
        QVERIFY(!convert->isEnabled());
        gammas->setText(QStringLiteral("0.8, 0.9, 0.95, 1"));
        QVERIFY(convert->isEnabled());
        QCOMPARE(toString(dialog.options()), std::string("supra:gammas=0.8,0.9,0.95,1"));
        gammas->setText(QStringLiteral("0.9"));
        QCOMPARE(toString(dialog.options()), std::string("supra:gammas=0.9,0.9,0.9,0.9"));
        gammas->setText(QStringLiteral("2"));
        boxes[0]->setCurrentIndex(1); // T2R has no decay
        QVERIFY(!gammas->isEnabled() && convert->isEnabled());
        QCOMPARE(toString(dialog.options()), std::string("t2r"));
        boxes[0]->setCurrentIndex(0);
        gammas->setText(QStringLiteral("0.8, 0.9, 0.95, 1"));
        dialog.show();
        QTest::qWait(50);
        QVERIFY(dialog.grab().save(QStringLiteral(SUPRALENS_TEST_OUTPUT "/convert-dialog.png")));
    }

private:
    static QLineEdit *line(const ConvertDialog &dialog, const QString &label)
    {
        for (QLineEdit *line : dialog.findChildren<QLineEdit *>()) {
            const auto *name = qobject_cast<QLabel *>(qobject_cast<QFormLayout *>(dialog.layout())->labelForField(line));
            if (name && name->text() == label)
                return line;
        }
        return nullptr;
    }
};

QTEST_MAIN(TestConvertDialog)
#include "tst_convertdialog.moc"
