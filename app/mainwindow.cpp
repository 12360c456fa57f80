#include "mainwindow.h"

#include "appsettings.h"
#include "bridge/format.h"
#include "bridge/sessionloader.h"
#include "compare/comparecolumn.h"
#include "compare/compareworkspace.h"
#include "compare/promptbox.h"
#include "compare/generationpanel.h"
#include "compare/sidepanel.h"
#include "lens/attentiondock.h"
#include "lens/klstrip.h"
#include "lensdocks.h"
#include "modelplaces.h"
#include "models/convertdialog.h"
#include "models/modelspage.h"
#include "models/pluginspage.h"
#include "models/welcomepage.h"
#include "sessions/sessionspage.h"
#include "uptrain/trainingpage.h"
#include "widgets/errorbanner.h"
#include "widgets/navigationrail.h"
#include "workspacebar.h"

#include <QCloseEvent>
#include <QDockWidget>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QLabel>
#include <QMessageBox>
#include <QMimeData>
#include <QPushButton>
#include <QScreen>
#include <QStackedWidget>

namespace lens {
namespace {

constexpr int layoutVersion = 1;
constexpr int leastColumnWidth = 165; ///< pixels; below, columns take the side panel's room

} // namespace

MainWindow::MainWindow(Engine &engine, TrainingEngine &trainer, AppSettings &settings, const QString &workspacePath,
                       QWidget *parent)
    : QMainWindow(parent), m_engine(engine), m_settings(settings), m_library(engine), m_recorder(m_store),
      m_chat(engine, m_library, &m_recorder), m_differences(engine, m_chat), m_attention(engine, m_chat),
      m_training(trainer, m_store), m_models(m_library), m_sessions(m_store)
{
    setAcceptDrops(true);
    setDockOptions(AnimatedDocks | AllowNestedDocks | AllowTabbedDocks);
    resize(QSize(1440, 900).boundedTo(screen()->availableSize()));
    makePages();
    m_docks = new LensDocks(m_chat, m_library, m_differences, m_attention, &m_selection, this);
    m_compare->setStrip(m_docks->strip());
    makeMenus();
    makeStatusBar();
    wirePages();
    wireStore();
    m_chat.setSettings(settings.generation());
    m_side->generation().setCustomPresets(settings.presets());
    m_side->generation().setSettings(settings.generation());
    m_docks->attentionDock()->setAutoMeasure(settings.autoMeasure());
    m_compare->setShading(Shading(qBound(0, settings.shading(), 2)));
    restoreGeometry(settings.geometry());
    if (!restoreState(settings.layout(), layoutVersion))
        m_docks->arrange();
    updateTitle();
    updateStatus();
    m_store.open(workspacePath);
    m_compare->focusPrompt();
}

MainWindow::~MainWindow()
{
    // Widgets refer to the members below; they go first.
    for (QDockWidget *dock : m_docks->docks())
        delete dock;
    delete takeCentralWidget();
}

void MainWindow::makePages()
{
    m_rail = new NavigationRail;
    m_rail->addPage(QStringLiteral("compare"), tr("Compare"));
    m_rail->addPage(QStringLiteral("models"), tr("Models"));
    m_rail->addPage(QStringLiteral("sessions"), tr("Sessions"));
    m_rail->addPage(QStringLiteral("plugins"), tr("Plugins"));
    m_rail->addPage(QStringLiteral("train"), tr("Train"));
    m_compare = new CompareWorkspace(m_chat, m_library, &m_selection);
    m_side = new SidePanel(&m_sessions, &m_models);
    m_side->setObjectName(QStringLiteral("sidePanel"));
    m_modelsPage = new ModelsPage(m_library, m_models);
    m_sessionsPage = new SessionsPage(m_store, m_sessions);
    m_trainingPage = new TrainingPage(m_library, m_training, m_store);
    auto *comparing = new QWidget;
    auto *row = new QHBoxLayout(comparing);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(0);
    row->addWidget(m_side);
    row->addWidget(m_compare, 1);
    m_pages = new QStackedWidget;
    m_pages->installEventFilter(this);
    m_pages->addWidget(comparing);
    m_pages->addWidget(m_modelsPage);
    m_pages->addWidget(m_sessionsPage);
    m_pages->addWidget(new PluginsPage(m_engine));
    m_pages->addWidget(m_trainingPage);
    auto *below = new QHBoxLayout;
    below->addWidget(m_rail);
    below->addWidget(m_pages, 1);
    auto *centre = new QWidget;
    auto *layout = new QVBoxLayout(centre);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(new WorkspaceBar(m_store, m_chat));
    layout->addLayout(below, 1);
    setCentralWidget(centre);
}

void MainWindow::wirePages()
{
    connect(m_rail, &NavigationRail::chosen, this, &MainWindow::showPage);
    connect(m_compare, &CompareWorkspace::openRequested, this, &MainWindow::openModelFile);
    connect(m_compare, &CompareWorkspace::convertRequested, this,
            [this](int column, quint64 source) { compareWithConversion(source, -1, column); });
    connect(m_compare, &CompareWorkspace::detailsRequested, this, [this](quint64 entry) {
        m_modelsPage->select(entry);
        showPage(ModelsPage_);
    });
    connect(m_compare, &CompareWorkspace::shadingChanged, this,
            [this](Shading shading) { m_settings.setShading(int(shading)); });
    connect(m_side, &SidePanel::newSessionRequested, this, &MainWindow::newSession);
    connect(m_side, &SidePanel::sessionChosen, this, [this](qint64 session) { openSession(session); });
    connect(m_side, &SidePanel::openModelRequested, this, [this] { openModelFile(-1); });
    connect(m_side, &SidePanel::modelChosen, this, [this](quint64 entry) {
        m_modelsPage->select(entry);
        showPage(ModelsPage_);
    });
    connect(&m_side->generation(), &GenerationPanel::settingsChanged, this, [this](const GenerationSettings &settings) {
        m_chat.setSettings(settings);
        m_settings.setGeneration(settings);
    });
    connect(&m_side->generation(), &GenerationPanel::customPresetsChanged, this,
            [this] { m_settings.setPresets(m_side->generation().customPresets()); });
    connect(m_modelsPage, &ModelsPage::openRequested, this, [this] { openModelFile(-1); });
    connect(m_modelsPage, &ModelsPage::openFolderRequested, this, [this] { openModelFolder(-1); });
    connect(m_modelsPage, &ModelsPage::openInColumn, this, [this](quint64 entry) { showInColumn(entry); });
    connect(m_modelsPage, &ModelsPage::compareRequested, this,
            [this](quint64 source) { compareWithConversion(source, 0, 1); });
    connect(m_modelsPage, &ModelsPage::convertRequested, this, &MainWindow::convert);
    connect(&m_modelsPage->welcome(), &WelcomePage::modelFetched, this, &MainWindow::showFetched);
    connect(m_sessionsPage, &SessionsPage::newRequested, this, &MainWindow::newSession);
    connect(m_sessionsPage, &SessionsPage::openRequested, this, [this](qint64 session) { openSession(session); });
    connect(m_sessionsPage, &SessionsPage::removed, this, [this](qint64 session) {
        if (session == m_chat.session())
            m_chat.newSession();
    });
    connect(m_trainingPage, &TrainingPage::compareRequested, this, &MainWindow::compareTrained);
    connect(&m_training, &TrainingController::finished, this,
            [this](const TrainingOutcome &outcome) { m_library.addWritten(text(outcome.folder)); });
    connect(m_docks->attentionDock(), &AttentionDock::autoMeasureChanged, &m_settings, &AppSettings::setAutoMeasure);
    connect(&m_library, &ModelLibrary::rememberedChanged, this,
            [this] { m_settings.setRecentModels(m_library.remembered()); });
    connect(&m_library, &ModelLibrary::loaded, this, &MainWindow::updateStatus);
    connect(&m_library, &ModelLibrary::unloaded, this, &MainWindow::updateStatus);
    connect(&m_chat, &ChatController::columnModelChanged, this, &MainWindow::rememberColumns);
    connect(&m_chat, &ChatController::columnsChanged, this, &MainWindow::rememberColumns);
    connect(&m_chat, &ChatController::columnsChanged, this, &MainWindow::foldSide);
    connect(&m_chat, &ChatController::sessionChanged, this, &MainWindow::updateTitle);
    connect(&m_chat, &ChatController::answerStarted, &m_selection, &Selection::clearToken);
    connect(&m_selection, &Selection::changed, this, &MainWindow::updateStatus);
}

void MainWindow::wireStore()
{
    connect(&m_store, &StoreThread::opened, this, &MainWindow::adoptStore);
    connect(&m_store, &StoreThread::failed, this, [this] {
        m_notSaved = true;
        m_chat.setKeeping(false);
        updateStatus();
    });
    const auto failed = [this](const Error &error) {
        if (!m_notSaved)
            m_compare->banner().showError(error);
        m_notSaved = true;
        updateStatus();
    };
    connect(&m_recorder, &SessionRecorder::failed, this, failed);
    connect(&m_chat, &ChatController::notSaved, this, failed);
    connect(&m_recorder, &SessionRecorder::saved, this, [this] {
        m_saved.restart();
        m_notSaved = false;
        updateStatus();
    });
    connect(&m_chat, &ChatController::sessionSaved, this, [this] { m_sessions.refresh(); });
    connect(&m_chat, &ChatController::roundFinished, this, [this] { m_sessions.refresh(); });
    connect(&m_sessions, &SessionListModel::refreshed, this, [this] {
        m_side->setCurrentSession(m_chat.session());
        m_sessionsPage->setCurrent(m_chat.session());
    });
    m_savedTimer.setInterval(1000);
    connect(&m_savedTimer, &QTimer::timeout, this, &MainWindow::updateStatus);
    m_savedTimer.start();
}

void MainWindow::openModels(const QStringList &specifications)
{
    addKnownModels(m_library);
    for (const QString &recent : m_settings.recentModels())
        m_library.add(recent);
    const QStringList wanted = specifications.isEmpty() ? m_settings.columnModels() : specifications;
    m_chat.setColumnCount(int(wanted.size()));
    for (qsizetype i = 0; i < wanted.size() && i < m_chat.columnCount(); ++i) {
        if (!wanted[i].isEmpty())
            m_chat.chooseModel(int(i), m_library.add(wanted[i]));
    }
    if (specifications.size() == 1 && !specifications.front().contains(QLatin1Char('@')))
        compareOnceLoaded(m_chat.chosenModel(0));
    if (m_library.entries().empty())
        showPage(ModelsPage_);
    else if (wanted.join(QString()).isEmpty())
        openFirstPair();
}

void MainWindow::openFirstPair()
{
    if (openDemoPair())
        return;
    const quint64 first = m_library.entries().front().id;
    m_chat.chooseModel(0, first);
    compareOnceLoaded(first);
}

void MainWindow::compareOnceLoaded(quint64 model)
{
    auto *once = new QObject(this);
    connect(&m_library, &ModelLibrary::loaded, once, [this, once, model](quint64 entry) {
        if (entry != model)
            return;
        once->deleteLater();
        const bool isAdapted = m_library.baseOf(model) != 0;
        const bool isAlone = m_chat.chosenModel(0) == model && m_chat.chosenModel(1) == 0;
        if (isAlone && (isAdapted || m_library.entry(model)->info->mixer == "softmax"))
            compareWithConversion(model, isAdapted ? 0 : -1, 1);
    });
}

bool MainWindow::openDemoPair()
{
    quint64 softmax = 0, supra = 0;
    for (const ModelEntry &entry : m_library.entries()) {
        if (entry.bundled && entry.name == QLatin1String("stories-softmax"))
            softmax = entry.id;
        if (entry.bundled && entry.name == QLatin1String("stories-supra"))
            supra = entry.id;
    }
    if (softmax == 0 || supra == 0)
        return false;
    m_chat.setColumnCount(2);
    m_chat.chooseModel(0, softmax);
    m_chat.chooseModel(1, supra);
    if (m_compare->prompt().text().isEmpty())
        m_compare->prompt().setText(QStringLiteral("Once upon a time, there was a little girl named Lily. One day, she found a"));
    return true;
}

void MainWindow::openPath(const QString &path, int column)
{
    if (path.isEmpty())
        return;
    const std::vector<quint64> found = m_library.addPath(path);
    m_modelsPage->select(found.front());
    if (found.size() == 1 && (column >= 0 || m_rail->current() == ComparePage))
        showInColumn(found.front(), column);
    else
        showPage(ModelsPage_);
}

void MainWindow::openModelFile(int column)
{
    openPath(QFileDialog::getOpenFileName(this, tr("Open a model"), {},
                                          tr("Models (*.gguf *.safetensors *.bin *.pt *.pth *.json);;All files (*)")),
             column);
}

void MainWindow::openModelFolder(int column)
{
    openPath(QFileDialog::getExistingDirectory(this, tr("Open a model folder")), column);
}

void MainWindow::showInColumn(quint64 entry, int column)
{
    for (int i = 0; column < 0 && i < m_chat.columnCount(); ++i) {
        if (m_chat.chosenModel(i) == 0 || m_chat.chosenModel(i) == entry)
            column = i;
    }
    m_chat.chooseModel(column < 0 ? 0 : column, entry);
    showPage(ComparePage);
}

void MainWindow::compareWithConversion(quint64 source, int originalColumn, int convertedColumn)
{
    const quint64 base = m_library.baseOf(source);
    if (originalColumn >= 0)
        m_chat.chooseModel(originalColumn, base ? base : source);
    const quint64 adapter = m_library.adapterOf(source);
    const quint64 converted = base ? source : adapter ? adapter : m_library.convert(source, ConvertOptions{});
    if (converted)
        m_chat.chooseModel(qMax(0, convertedColumn), converted);
    showPage(ComparePage);
}

void MainWindow::showFetched(const QString &folder)
{
    const std::vector<quint64> fetched = m_library.addFolder(folder);
    addKnownModels(m_library);
    if (fetched.empty())
        return;
    m_modelsPage->select(fetched.front());
    showPage(ModelsPage_);
}

void MainWindow::convert(quint64 source)
{
    const ModelEntry *entry = m_library.entry(source);
    if (!entry)
        return;
    ConvertDialog dialog(entry->name, entry->info ? entry->info->layerCount : 0,
                         entry->info ? entry->info->heads : 0, this);
    if (dialog.exec() != QDialog::Accepted)
        return;
    m_chat.chooseModel(0, source);
    m_chat.chooseModel(1, m_library.convert(source, dialog.options()));
    showPage(ComparePage);
}

void MainWindow::compareTrained(const QString &model, const QString &original)
{
    const quint64 trained = m_library.addWritten(model);
    if (!original.isEmpty())
        m_chat.chooseModel(0, m_library.add(original));
    m_chat.chooseModel(original.isEmpty() ? 0 : 1, trained);
    showPage(ComparePage);
}

bool MainWindow::mayLeaveTraining()
{
    if (!m_training.isRunning())
        return true;
    if (m_leaving)
        return false;
    QMessageBox box(QMessageBox::Question, tr("A training is running"), tr("“%1” is being trained.").arg(m_training.runName()),
                    QMessageBox::Cancel, this);
    box.setInformativeText(tr("Stop and keep ends it after this step and writes the model as it is then. Go on later ends it "
                              "with a checkpoint only. Either way the Train page offers to go on from there."));
    const QPushButton *keep = box.addButton(tr("Stop and keep"), QMessageBox::AcceptRole);
    const QPushButton *later = box.addButton(tr("Go on later"), QMessageBox::DestructiveRole);
    box.setDefaultButton(QMessageBox::Cancel);
    box.exec();
    if (!m_training.isRunning())
        return box.clickedButton() == keep || box.clickedButton() == later;
    if (box.clickedButton() == keep)
        m_training.stopAndKeep();
    else if (box.clickedButton() == later)
        m_training.cancel();
    else
        return false;
    // Until everything is written; then this is asked again and nothing runs any more.
    m_leaving = true;
    setEnabled(false);
    connect(&m_training, &TrainingController::stateChanged, this, [this] {
        if (!m_training.isRunning())
            close();
    });
    return false;
}

void MainWindow::adoptStore()
{
    m_notSaved = false;
    const bool writing = m_store.access() == Access::Writing;
    m_chat.setKeeping(writing);
    // Whoever had the workspace may have gone on with the session that is on show.
    if (const RowId session = m_chat.session(); writing && session != 0) {
        m_chat.newSession();
        openSession(session, m_rail->current());
    }
    updateStatus();
}

void MainWindow::openSession(RowId session, int page)
{
    if (session <= 0)
        return;
    if (session == m_chat.session()) {
        showPage(page);
        return;
    }
    m_store.run<OpenedSession>([session](Workspace &workspace) { return lens::openSession(workspace, session); },
                               [this, session, page](Result<OpenedSession> opened) {
                                   if (!opened) {
                                       m_sessionsPage->showError(opened.error());
                                       return;
                                   }
                                   m_chat.show(std::move(*opened));
                                   m_side->generation().setSettings(m_chat.settings());
                                   m_side->setCurrentSession(session);
                                   m_sessionsPage->setCurrent(session);
                                   showPage(page);
                               });
}

void MainWindow::newSession()
{
    m_chat.newSession();
    m_side->setCurrentSession(0);
    showPage(ComparePage);
    m_compare->focusPrompt();
}

void MainWindow::showPage(int page)
{
    m_rail->setCurrent(page);
    m_pages->setCurrentIndex(page);
    m_docks->setShown(page == ComparePage);
    if (page == SessionsPage_)
        m_sessionsPage->focusSearch();
    else if (page == ComparePage)
        m_compare->focusPrompt();
}

void MainWindow::rememberColumns()
{
    QStringList specifications;
    for (int i = 0; i < m_chat.columnCount(); ++i) {
        const ModelEntry *entry = m_library.entry(m_chat.chosenModel(i));
        specifications.append(entry ? entry->specification : QString());
    }
    m_settings.setColumnModels(specifications);
}

void MainWindow::closeEvent(QCloseEvent *event)
{
    if (!mayLeaveTraining()) {
        event->ignore();
        return;
    }
    m_docks->setShown(true);
    m_settings.setWindow(saveGeometry(), saveState(layoutVersion));
    if (!m_chat.isBusy()) {
        event->accept();
        return;
    }
    // The last tokens come first; stopping takes a fraction of a second.
    event->ignore();
    m_chat.stopAll();
    setEnabled(false);
    connect(&m_chat, &ChatController::roundFinished, this, &QWidget::close, Qt::UniqueConnection);
}

void MainWindow::dragEnterEvent(QDragEnterEvent *event)
{
    if (event->mimeData()->hasUrls())
        event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent *event)
{
    int column = -1;
    for (int i = 0; i < m_chat.columnCount(); ++i) {
        const CompareColumn *widget = m_compare->columnWidget(i);
        if (widget->isVisible() && widget->rect().contains(widget->mapFrom(this, event->position().toPoint())))
            column = i;
    }
    for (const QUrl &url : event->mimeData()->urls()) {
        if (!url.isLocalFile())
            continue;
        openPath(QDir::cleanPath(url.toLocalFile()), column);
        // Further files go into the columns to the right, then wherever there is room.
        column = column >= 0 && column + 1 < m_chat.columnCount() ? column + 1 : -1;
    }
    event->acceptProposedAction();
}

bool MainWindow::eventFilter(QObject *watched, QEvent *event)
{
    if (watched == m_pages && event->type() == QEvent::Resize)
        foldSide();
    return QMainWindow::eventFilter(watched, event);
}

void MainWindow::foldSide()
{
    const bool tight = m_pages->width() - m_side->width() < m_chat.columnCount() * leastColumnWidth;
    if (tight == m_tight || !m_sideAction)
        return;
    m_tight = tight;
    m_sideAction->setChecked(m_sideWanted && !tight);
    m_side->setVisible(m_sideAction->isChecked());
}

} // namespace lens
