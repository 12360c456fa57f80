// The training page in a window, with a trainer that has no weights.
#pragma once

#include "bridge/theme.h"
#include "ui/support/fakeengine.h"
#include "ui/support/faketraining.h"
#include "uptrain/runform.h"
#include "uptrain/runview.h"
#include "uptrain/trainingpage.h"

#include <QApplication>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QStyleFactory>
#include <QTemporaryDir>
#include <QtTest>

namespace lens::test {

inline constexpr int Patience = 10000;
inline const QSize pageSize(1208, 742); ///< what a window of 1280 x 800 leaves it

/// The page in a window, with everything it needs.
struct Desk {
    explicit Desk(const QString &folder) : store(std::make_unique<StoreThread>()), library(models)
    {
        store->open(folder + QStringLiteral("/w.supralens"));
        training.leavesFiles = true;
        controller = std::make_unique<TrainingController>(training, *store);
        library.add(QStringLiteral("/models/tiny.gguf"));
        page = std::make_unique<TrainingPage>(library, *controller, *store);
        page->resize(pageSize);
        page->show();
        text = folder + QStringLiteral("/stories.txt");
        QFile file(text);
        static_cast<void>(file.open(QIODevice::WriteOnly));
        file.write("Once upon a time there was a fox.\n");
    }
    ~Desk()
    {
        page.reset();
        controller.reset();
    }

    QPushButton *button(const QString &label) const
    {
        for (QPushButton *button : page->findChildren<QPushButton *>()) {
            if (button->text() == label && button->isVisible())
                return button;
        }
        return nullptr;
    }
    void click(const QString &label) const
    {
        QPushButton *found = button(label);
        QVERIFY2(found && found->isEnabled(), qPrintable(label));
        QTest::mouseClick(found, Qt::LeftButton);
    }
    QLabel *label(const QString &part) const
    {
        for (QLabel *label : page->findChildren<QLabel *>()) {
            if (label->isVisible() && label->text().contains(part))
                return label;
        }
        return nullptr;
    }
    bool isReady() const
    {
        return QTest::qWaitFor([this] { return page->form().recipe().model.size() > 0; }, Patience);
    }
    int newestStatus() const
    {
        const auto &runs = page->runs().runs();
        return runs.empty() ? -1 : int(runs.front().status);
    }
    /// Through the form, until the run has ended.
    void runThrough(const QString &name)
    {
        page->newRun();
        page->form().addFiles({text});
        for (QLineEdit *line : page->form().findChildren<QLineEdit *>()) {
            if (line->accessibleName() == QStringLiteral("Name of the run")) {
                line->selectAll();
                QTest::keyClicks(line, name);
            }
        }
        const auto before = page->runs().rowCount();
        click(QStringLiteral("Start training"));
        QVERIFY(QTest::qWaitFor([this] { return !controller->isRunning(); }, Patience));
        QTRY_COMPARE_WITH_TIMEOUT(page->runs().rowCount(), before + 1, Patience);
        QTRY_COMPARE_WITH_TIMEOUT(newestStatus(), int(TrainingStatus::Finished), Patience);
        QVERIFY(!page->view().isLive());
    }
    void picture(const QString &name) const
    {
        QVERIFY(page->grab().save(QStringLiteral("%1/training-%2.png").arg(QStringLiteral(SUPRALENS_TEST_OUTPUT), name)));
    }

    FakeEngine models;
    FakeTraining training;
    std::unique_ptr<StoreThread> store;
    ModelLibrary library;
    std::unique_ptr<TrainingController> controller;
    std::unique_ptr<TrainingPage> page;
    QString text;
};

inline void useTheme(const QString &theme)
{
    const QPalette palette = theme == QStringLiteral("dark") ? darkPalette() : lightPalette();
    QApplication::setPalette(palette);
    qApp->setStyleSheet(styleSheet(palette));
}

/// Every visible child lies inside its parent and has the room that its text needs.
inline void verifyNothingIsCut(const QWidget &page)
{
    for (const QPushButton *button : page.findChildren<QPushButton *>()) {
        if (button->isVisible())
            QVERIFY2(button->width() >= button->minimumSizeHint().width(), qPrintable(button->text()));
    }
    for (const QWidget *child : page.findChildren<QWidget *>()) {
        if (!child->isVisible() || !child->parentWidget() || qobject_cast<QScrollArea *>(child->parentWidget()->parentWidget()))
            continue;
        if (qobject_cast<const QPushButton *>(child) || qobject_cast<const QComboBox *>(child))
            QVERIFY2(child->parentWidget()->rect().contains(child->geometry()), child->metaObject()->className());
    }
}

/// A test of the page in the light theme; every test function has a folder of its own.
class TrainingPageTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        QApplication::setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
        useTheme(QStringLiteral("light"));
    }

    void init()
    {
        m_folder = std::make_unique<QTemporaryDir>();
        qputenv("XDG_DATA_HOME", m_folder->filePath(QStringLiteral("data")).toUtf8());
    }

protected:
    std::unique_ptr<QTemporaryDir> m_folder;
};

} // namespace lens::test
