// Menus, shortcuts and the status bar of the main window.
#include "appsettings.h"
#include "bridge/format.h"
#include "compare/compareworkspace.h"
#include "compare/sidepanel.h"
#include "lens/attentiondock.h"
#include "lensdocks.h"
#include "mainwindow.h"
#include "models/modelspage.h"
#include "sessions/sessionspage.h"
#include "tensor/device.h"
#include "uptrain/trainingpage.h"
#include "widgets/navigationrail.h"

#include <QActionGroup>
#include <QApplication>
#include <QDockWidget>
#include <QLabel>
#include <QMenuBar>
#include <QMessageBox>
#include <QStackedWidget>
#include <QStatusBar>

namespace lens {
namespace {

QString ago(qint64 seconds)
{
    return seconds < 60 ? MainWindow::tr("%1 s").arg(seconds) : MainWindow::tr("%1 min").arg(seconds / 60);
}

} // namespace

void MainWindow::makeMenus()
{
    makeSessionMenu();
    makeModelMenu();
    makeRunMenu();
    makeViewMenu();
    makeHelpMenu();
}

void MainWindow::makeSessionMenu()
{
    QMenu *menu = menuBar()->addMenu(tr("&Session"));
    menu->addAction(tr("&New session"), QKeySequence::New, this, &MainWindow::newSession);
    menu->addAction(tr("&Find in sessions…"), QKeySequence::Find, this, [this] { showPage(SessionsPage_); });
    menu->addSeparator();
    menu->addAction(tr("&Quit"), QKeySequence::Quit, this, &QWidget::close);
}

void MainWindow::makeModelMenu()
{
    QMenu *menu = menuBar()->addMenu(tr("&Model"));
    menu->addAction(tr("&Open a model file…"), QKeySequence::Open, this, [this] { openModelFile(-1); });
    menu->addAction(tr("Open a model &folder…"), QKeySequence(tr("Ctrl+Shift+O")), this,
                    [this] { openModelFolder(-1); });
    menu->addAction(tr("&Get a chat model…"), this, [this] {
        m_modelsPage->showWelcome();
        showPage(ModelsPage_);
    });
    menu->addSeparator();
    menu->addAction(tr("&Compare with its SUPRA conversion"), this, [this] {
        if (m_chat.chosenModel(0))
            compareWithConversion(m_chat.chosenModel(0), 0, 1);
    });
    menu->addAction(tr("&Uptrain…"), this, [this] {
        m_trainingPage->newRun(m_chat.chosenModel(0));
        showPage(TrainPage);
    });
}

void MainWindow::makeRunMenu()
{
    QMenu *menu = menuBar()->addMenu(tr("&Run"));
    menu->addAction(tr("&Prompt"), QKeySequence(tr("Ctrl+L")), this, [this] {
        showPage(ComparePage);
        m_compare->focusPrompt();
    });
    QAction *stop = menu->addAction(tr("&Stop"), QKeySequence(Qt::Key_Escape), &m_chat, &ChatController::stopAll);
    QAction *again =
        menu->addAction(tr("&Answer again"), QKeySequence(tr("Ctrl+R")), &m_chat, &ChatController::regenerateAll);
    stop->setEnabled(false);
    connect(&m_chat, &ChatController::busyChanged, this, [stop, again](bool busy) {
        stop->setEnabled(busy);
        again->setEnabled(!busy);
    });
    menu->addSeparator();
    QMenu *count = menu->addMenu(tr("&Columns"));
    auto *group = new QActionGroup(this);
    for (int i = ChatController::minColumns; i <= ChatController::maxColumns; ++i) {
        QAction *action = count->addAction(QString::number(i), this, [this, i] { m_chat.setColumnCount(i); });
        action->setCheckable(true);
        action->setChecked(i == m_chat.columnCount());
        group->addAction(action);
        connect(&m_chat, &ChatController::columnsChanged, action,
                [this, action, i] { action->setChecked(i == m_chat.columnCount()); });
        connect(&m_chat, &ChatController::busyChanged, action, &QAction::setDisabled);
    }
}

void MainWindow::makeViewMenu()
{
    QMenu *menu = menuBar()->addMenu(tr("&View"));
    const QStringList pages{tr("&Compare"), tr("&Models"), tr("&Sessions"), tr("&Plugins"),
                            tr("&Train")};
    for (int i = 0; i < pages.size(); ++i)
        menu->addAction(pages[i], QKeySequence(QStringLiteral("Ctrl+%1").arg(i + 1)), this, [this, i] { showPage(i); });
    menu->addSeparator();
    m_sideAction = menu->addAction(tr("Side &panel"), QKeySequence(tr("Ctrl+B")), this, [this](bool shown) {
        m_sideWanted = shown;
        m_side->setVisible(shown);
    });
    m_sideAction->setCheckable(true);
    m_sideAction->setChecked(true);
    for (QDockWidget *dock : m_docks->docks())
        menu->addAction(dock->toggleViewAction());
    menu->addAction(tr("&Next panel"), QKeySequence(Qt::Key_F6), this, [this] { cycleDocks(1); });
    menu->addAction(tr("Previous panel"), QKeySequence(Qt::SHIFT | Qt::Key_F6), this, [this] { cycleDocks(-1); });
    menu->addAction(tr("&Reset layout"), this, &MainWindow::resetLayout);
    menu->addSeparator();
    QMenu *themes = menu->addMenu(tr("&Theme"));
    auto *group = new QActionGroup(this);
    const std::pair<ThemeChoice, QString> choices[] = {{ThemeChoice::System, tr("As the &system")},
                                                       {ThemeChoice::Light, tr("&Light")},
                                                       {ThemeChoice::Dark, tr("&Dark")}};
    for (const auto &[choice, label] : choices) {
        QAction *action = themes->addAction(label, this, [this, choice = choice] { m_settings.setTheme(choice); });
        action->setCheckable(true);
        action->setChecked(choice == m_settings.theme());
        group->addAction(action);
    }
    menu->addAction(tr("&Full screen"), QKeySequence::FullScreen, this,
                    [this] { setWindowState(windowState() ^ Qt::WindowFullScreen); });
}

void MainWindow::makeHelpMenu()
{
    QMenu *menu = menuBar()->addMenu(tr("&Help"));
    menu->addAction(tr("&About SUPRA Lens"), this, &MainWindow::about);
    menu->addAction(tr("About &Qt"), qApp, &QApplication::aboutQt);
}

void MainWindow::about()
{
    QMessageBox box(this);
    box.setWindowTitle(tr("About SUPRA Lens"));
    box.setIconPixmap(windowIcon().pixmap(64));
    box.setTextFormat(Qt::RichText);
    box.setText(
        tr("<h3>SUPRA Lens %1</h3><p>See what happens when a softmax Transformer is turned into a recurrent network."
           "</p><p>Licence: GPL-3.0-or-later. It comes with no warranty.</p>")
            .arg(QApplication::applicationVersion()));
    box.setInformativeText(
        tr("<p>Built with Qt %1 (LGPL-3.0), QCustomPlot (GPL-3.0), LibTorch (BSD-3-Clause), SQLite (public domain), "
           "SQLiteCpp "
           "(MIT), SentencePiece (Apache-2.0), ICU (Unicode licence), nlohmann/json (MIT), tl::expected (CC0), xxHash "
           "(BSD-2-Clause), Zstandard (BSD-3-Clause) and CLI11 (BSD-3-Clause).</p>")
            .arg(QString::fromLatin1(qVersion())));
    box.exec();
}

void MainWindow::makeStatusBar()
{
    m_modelStatus = new QLabel;
    m_deviceStatus = new QLabel;
    m_savedStatus = new QLabel;
    m_selectionStatus = new QLabel;
    for (QLabel *label : {m_modelStatus, m_deviceStatus, m_savedStatus}) {
        label->setProperty("muted", true);
        label->setContentsMargins(8, 2, 12, 2);
        statusBar()->addWidget(label);
    }
    m_selectionStatus->setProperty("muted", true);
    m_selectionStatus->setContentsMargins(8, 2, 12, 2);
    statusBar()->addPermanentWidget(m_selectionStatus);
    statusBar()->setSizeGripEnabled(false);
    const auto devices = availableDevices();
    if (!devices.empty())
        m_deviceStatus->setText(text(devices.front().description));
}

void MainWindow::updateStatus()
{
    const int loaded = m_library.loadedCount();
    m_modelStatus->setText(loaded == 0 ? tr("no model loaded")
                           : loaded == 1
                               ? tr("1 model loaded, %1").arg(formatBytes(m_library.loadedBytes()))
                               : tr("%1 models loaded, %2").arg(loaded).arg(formatBytes(m_library.loadedBytes())));
    if (m_store.access() == Access::Reading)
        m_savedStatus->setText(tr("workspace read-only"));
    else if (m_notSaved)
        m_savedStatus->setText(tr("workspace not saved"));
    else if (!m_chat.isKept())
        m_savedStatus->setText(tr("conversation not kept"));
    else if (!m_saved.isValid())
        m_savedStatus->setText(tr("workspace ready"));
    else
        m_savedStatus->setText(m_saved.elapsed() < 2000
                                   ? tr("workspace saved")
                                   : tr("workspace saved %1 ago").arg(ago(m_saved.elapsed() / 1000)));
    QStringList parts{tr("layer %1").arg(m_selection.layer()), tr("head %1").arg(m_selection.head())};
    if (m_selection.token() != Selection::None)
        parts.append(tr("token %1").arg(m_selection.token()));
    m_selectionStatus->setText(parts.join(QStringLiteral(" · ")));
}

void MainWindow::updateTitle()
{
    const QString title = m_chat.title();
    setWindowTitle(title.isEmpty() ? tr("SUPRA Lens") : tr("%1 – SUPRA Lens").arg(title));
}

void MainWindow::resetLayout()
{
    showPage(ComparePage);
    m_docks->arrange();
}

void MainWindow::cycleDocks(int step)
{
    QList<QWidget *> stops{m_pages};
    for (QDockWidget *dock : m_docks->docks()) {
        if (dock->isVisible())
            stops.append(dock);
    }
    qsizetype current = 0;
    for (qsizetype i = 0; i < stops.size(); ++i) {
        if (stops[i]->isAncestorOf(QApplication::focusWidget()))
            current = i;
    }
    QWidget *next = stops[(current + step + stops.size()) % stops.size()];
    if (next == m_pages) {
        showPage(m_rail->current());
        return;
    }
    QWidget *target = qobject_cast<QDockWidget *>(next)->widget();
    for (QWidget *child : target->findChildren<QWidget *>()) {
        if (child->isVisible() && child->focusPolicy() & Qt::TabFocus) {
            child->setFocus(Qt::TabFocusReason);
            return;
        }
    }
    target->setFocus(Qt::TabFocusReason);
}

} // namespace lens
