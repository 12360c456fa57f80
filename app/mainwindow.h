// The window: navigation, pages, docks, menus, status bar. It wires; it does no work.
#pragma once

#include "bridge/attentionmeter.h"
#include "bridge/chatcontroller.h"
#include "bridge/differences.h"
#include "bridge/modellistmodel.h"
#include "bridge/selection.h"
#include "bridge/sessionlistmodel.h"
#include "bridge/sessionrecorder.h"
#include "bridge/storethread.h"
#include "bridge/trainingcontroller.h"

#include <QElapsedTimer>
#include <QMainWindow>
#include <QTimer>

class QLabel;
class QStackedWidget;

namespace lens {

class AppSettings;
class CompareWorkspace;
class LensDocks;
class ModelsPage;
class NavigationRail;
class SessionsPage;
class SidePanel;
class TrainingPage;

class MainWindow : public QMainWindow {
    Q_OBJECT

public:
    enum Page { ComparePage, ModelsPage_, SessionsPage_, PluginsPage_, TrainPage };

    /// All of these must outlive the window.
    MainWindow(Engine &engine, TrainingEngine &trainer, AppSettings &settings, const QString &workspacePath,
               QWidget *parent = nullptr);
    ~MainWindow() override;

    /// Fills the list of models, then opens `specifications` in the columns, left to right; without any, those of the
    /// last time.
    void openModels(const QStringList &specifications);
    void showPage(int page);

    ChatController &chat() { return m_chat; }
    ModelLibrary &library() { return m_library; }
    Selection &selection() { return m_selection; }
    CompareWorkspace &compare() { return *m_compare; }
    SessionListModel &sessions() { return m_sessions; }
    TrainingPage &training() { return *m_trainingPage; }

protected:
    void closeEvent(QCloseEvent *event) override;
    void dragEnterEvent(QDragEnterEvent *event) override;
    void dropEvent(QDropEvent *event) override;
    bool eventFilter(QObject *watched, QEvent *event) override;

private:
    void makePages();
    void makeMenus();
    void makeSessionMenu();
    void makeModelMenu();
    void makeRunMenu();
    void makeViewMenu();
    void makeHelpMenu();
    void makeStatusBar();
    void wirePages();
    void wireStore();
    /// The first model that is known and its SUPRA conversion, so that a newcomer has a pair to look at.
    void openFirstPair();
    /// As soon as it is known to be a softmax model, or an adapted one, alone in the first column.
    void compareOnceLoaded(quint64 model);
    /// The softmax and the SUPRA model that come along, with a prompt they know how to go on with.
    bool openDemoPair();
    void openModelFile(int column);
    void openModelFolder(int column);
    /// In that column; -1: the first that is free, and on other pages only in the list.
    void openPath(const QString &path, int column);
    void foldSide();
    void showInColumn(quint64 entry, int column = -1);
    /// Its trained adapter outranks a fresh conversion; of an adapted model, its base comes first.
    void compareWithConversion(quint64 source, int originalColumn = -1, int convertedColumn = -1);
    void convert(quint64 source);
    /// Models that were just downloaded into `folder`, and what can be done with them.
    void showFetched(const QString &folder);
    /// A run's model beside its original; without one, alone.
    void compareTrained(const QString &model, const QString &original);
    /// False while a training runs: the user is asked, and what he chose closes the window when the run has ended.
    bool mayLeaveTraining();
    /// The workspace could be opened, or opened again.
    void adoptStore();
    /// Then shows that page.
    void openSession(RowId session, int page = ComparePage);
    void newSession();
    void resetLayout();
    void cycleDocks(int step);
    void updateTitle();
    void updateStatus();
    void about();
    void rememberColumns();

    Engine &m_engine;
    AppSettings &m_settings;
    // Order matters: what is used outlives what uses it.
    ModelLibrary m_library;
    StoreThread m_store;
    SessionRecorder m_recorder;
    ChatController m_chat;
    Differences m_differences;
    AttentionMeter m_attention;
    TrainingController m_training;
    Selection m_selection;
    ModelListModel m_models;
    SessionListModel m_sessions;

    NavigationRail *m_rail = nullptr;
    QStackedWidget *m_pages = nullptr;
    CompareWorkspace *m_compare = nullptr;
    SidePanel *m_side = nullptr;
    QAction *m_sideAction = nullptr;
    bool m_sideWanted = true;
    bool m_tight = false; ///< the columns need the side panel's room
    ModelsPage *m_modelsPage = nullptr;
    SessionsPage *m_sessionsPage = nullptr;
    TrainingPage *m_trainingPage = nullptr;
    LensDocks *m_docks = nullptr;
    QLabel *m_modelStatus = nullptr;
    QLabel *m_deviceStatus = nullptr;
    QLabel *m_savedStatus = nullptr;
    QLabel *m_selectionStatus = nullptr;
    QElapsedTimer m_saved;
    QTimer m_savedTimer;
    bool m_notSaved = false;
    bool m_leaving = false; ///< only the end of a training is waited for
};

} // namespace lens
