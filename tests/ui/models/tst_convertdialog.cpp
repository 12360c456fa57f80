// The dialog that asks how to convert: what is written in it becomes the options, and nonsense cannot be sent off.
#include "models/convertdialog.h"

#include <QComboBox>
#include <QDialogButtonBox>
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
        ConvertDialog dialog(QStringLiteral("a model"), 5);
        const QList<QComboBox *> boxes = dialog.findChildren<QComboBox *>();
        const QList<QLineEdit *> lines = dialog.findChildren<QLineEdit *>();
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
};

QTEST_MAIN(TestConvertDialog)
#include "tst_convertdialog.moc"
