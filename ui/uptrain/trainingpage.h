// The training workspace: runs at the left, and at the right the form of a new one or a run's view.
#pragma once

#include "uptrain/runlistmodel.h"

#include <QWidget>

#include <map>
#include <memory>

class QLabel;
class QListView;
class QPushButton;
class QStackedWidget;

namespace lens {

class ErrorBanner;
class ModelLibrary;
class RunForm;
class RunView;
struct PlottedRun;

class TrainingPage : public QWidget {
    Q_OBJECT

public:
    /// All must outlive the page.
    TrainingPage(ModelLibrary &library, TrainingController &controller, StoreThread &store, QWidget *parent = nullptr);
    ~TrainingPage() override;

    /// The form, with that model chosen when it can be.
    void newRun(quint64 entry = 0);
    void showRun(qint64 run);

    /// Less than its parts would like: on other pages the window must not be kept wide by this one.
    QSize minimumSizeHint() const override { return {480, 320}; }

    RunForm &form() { return *m_form; }
    RunView &view() { return *m_view; }
    RunListModel &runs() { return *m_runs; }

Q_SIGNALS:
    /// A trained model and its original (empty: there is none) are to be shown side by side.
    void compareRequested(const QString &model, const QString &original);

private:
    QWidget *makeList();
    void wireController();
    void wireHeader();
    void showForm();
    void removeShown();
    void start();
    void goOn();
    void newRunLike();
    void compareShown();
    void choose(const QModelIndex &index);
    void showLive();
    void present();
    void afterRefresh();
    std::vector<PlottedRun> overlays();
    std::shared_ptr<const TrainingMetrics> metricsOf(qint64 run);

    TrainingController &m_controller;
    StoreThread &m_store;
    RunListModel *m_runs;
    QListView *m_list;
    QLabel *m_empty;
    QPushButton *m_new;
    ErrorBanner *m_error;
    QStackedWidget *m_stack;
    RunForm *m_form;
    RunView *m_view;
    qint64 m_shown = 0; ///< run on show; 0: the form, or a live run without a row
    std::map<qint64, std::shared_ptr<const TrainingMetrics>> m_metrics; ///< read once; null: being read
};

} // namespace lens
