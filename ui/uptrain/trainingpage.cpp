#include "uptrain/trainingpage.h"

#include "bridge/format.h"
#include "uptrain/rundelegate.h"
#include "uptrain/runform.h"
#include "uptrain/runheader.h"
#include "uptrain/runview.h"
#include "widgets/errorbanner.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QListView>
#include <QMessageBox>
#include <QPointer>
#include <QPushButton>
#include <QSignalBlocker>
#include <QStackedWidget>
#include <QVBoxLayout>

namespace lens {
namespace {

constexpr int ListWidth = 240;

} // namespace

TrainingPage::TrainingPage(ModelLibrary &library, TrainingController &controller, StoreThread &store, QWidget *parent)
    : QWidget(parent), m_controller(controller), m_store(store), m_runs(new RunListModel(store, controller, this)),
      m_list(new QListView), m_empty(new QLabel), m_new(new QPushButton(tr("New run"))), m_error(new ErrorBanner),
      m_stack(new QStackedWidget), m_form(new RunForm(library, controller)), m_view(new RunView(controller))
{
    m_stack->addWidget(m_form);
    m_stack->addWidget(m_view);
    auto *right = new QVBoxLayout;
    right->setSpacing(0);
    right->addWidget(m_error);
    right->addWidget(m_stack, 1);
    auto *row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(0);
    row->addWidget(makeList());
    row->addLayout(right, 1);
    connect(m_form, &RunForm::startRequested, this, &TrainingPage::start);
    connect(m_runs, &RunListModel::refreshed, this, &TrainingPage::afterRefresh);
    connect(m_runs, &RunListModel::chosenChanged, this, &TrainingPage::present);
    connect(m_runs, &RunListModel::failed, m_error, &ErrorBanner::showError);
    connect(m_view, &RunView::notesEdited, m_runs, &RunListModel::setNotes);
    // A run that another program was training has measured more since.
    connect(&store, &StoreThread::opened, this, [this] { m_metrics.clear(); });
    wireController();
    wireHeader();
    afterRefresh();
}

TrainingPage::~TrainingPage() = default;

QWidget *TrainingPage::makeList()
{
    auto *side = new QWidget;
    side->setFixedWidth(ListWidth);
    side->setProperty("panel", true);
    side->setAttribute(Qt::WA_StyledBackground);
    auto *heading = new QLabel(tr("Training runs"));
    heading->setProperty("heading", true);
    m_list->setModel(m_runs);
    m_list->setItemDelegate(new RunDelegate(m_list));
    m_list->setAccessibleName(tr("Training runs; the space bar lays a run's curves over those on show"));
    m_list->setUniformItemSizes(true);
    m_empty->setText(tr("No runs yet. Choose a softmax model and a text at the right: the run, its curves and what it "
                        "writes are kept here."));
    m_empty->setWordWrap(true);
    m_empty->setProperty("muted", true);
    m_empty->setAlignment(Qt::AlignTop);
    auto *bar = new QHBoxLayout;
    bar->addWidget(heading, 1);
    bar->addWidget(m_new);
    auto *hint = new QLabel(tr("Check runs to lay their curves over each other."));
    hint->setWordWrap(true);
    hint->setProperty("muted", true);
    auto *layout = new QVBoxLayout(side);
    layout->setContentsMargins(12, 10, 12, 10);
    layout->addLayout(bar);
    layout->addWidget(m_list, 1);
    layout->addWidget(m_empty, 1);
    layout->addWidget(hint);
    connect(m_runs, &RunListModel::refreshed, hint, [this, hint] { hint->setVisible(m_runs->rowCount() > 1); });
    hint->hide();
    connect(m_new, &QPushButton::clicked, this, [this] { newRun(); });
    connect(m_list->selectionModel(), &QItemSelectionModel::currentChanged, this, &TrainingPage::choose);
    return side;
}

void TrainingPage::wireController()
{
    connect(&m_controller, &TrainingController::exported, this, &TrainingPage::compareRequested);
    connect(&m_controller, &TrainingController::notSaved, m_error, &ErrorBanner::showError);
    connect(&m_controller, &TrainingController::exportFailed, m_error, &ErrorBanner::showError);
    connect(&m_controller, &TrainingController::failed, this, [this](const Error &error) {
        if (error.code == ErrorCode::Cancelled)
            return;
        // A run in the workspace is shown with its reason; one that did not get there leads back to the form.
        if (m_controller.isRecorded())
            return;
        if (m_controller.metrics().steps.empty()) {
            showForm();
            m_form->showError(error);
        } else {
            m_error->showError(error);
        }
    });
    connect(&m_controller, &TrainingController::stateChanged, this, [this] {
        if (m_controller.isRunning())
            return;
        m_metrics.erase(m_controller.run());
        if (!m_controller.isRecorded() && m_controller.metrics().steps.empty() && m_view->isLive() &&
            m_stack->currentWidget() == m_view)
            showForm();
    });
}

void TrainingPage::wireHeader()
{
    RunHeader *header = &m_view->header();
    connect(header, &RunHeader::compareRequested, this, &TrainingPage::compareShown);
    connect(header, &RunHeader::goOnRequested, this, &TrainingPage::goOn);
    connect(header, &RunHeader::againRequested, this, &TrainingPage::newRunLike);
    connect(header, &RunHeader::removeRequested, this, &TrainingPage::removeShown);
}

void TrainingPage::newRun(quint64 entry)
{
    m_form->forgetOther();
    showForm();
    if (entry != 0)
        m_form->choose(entry);
}

void TrainingPage::showForm()
{
    m_shown = 0;
    m_list->setCurrentIndex({});
    m_list->clearSelection();
    m_stack->setCurrentWidget(m_form);
}

void TrainingPage::removeShown()
{
    m_view->saveNotes();
    const qint64 id = m_shown;
    const TrainingRunRow *run = m_runs->run(id);
    if (!run)
        return;
    if (!run->notes.empty()) {
        QMessageBox box(QMessageBox::Question, tr("Remove the run?"), tr("“%1” has notes.").arg(text(run->name)),
                        QMessageBox::Cancel, this);
        box.setInformativeText(tr("They are removed with it. The folder of the run stays."));
        const QPushButton *remove = box.addButton(tr("Remove"), QMessageBox::DestructiveRole);
        box.setDefaultButton(QMessageBox::Cancel);
        box.exec();
        if (box.clickedButton() != remove)
            return;
    }
    m_metrics.erase(id);
    m_runs->remove(id);
    showForm();
}

void TrainingPage::start()
{
    m_error->hide();
    if (const auto started = m_controller.start(m_form->recipe(), m_form->runName()); !started) {
        m_form->showError(started.error());
        return;
    }
    showLive();
}

void TrainingPage::goOn()
{
    const TrainingRunRow *run = m_runs->run(m_shown);
    if (!run)
        return;
    m_error->hide();
    if (const auto started = m_controller.goOn(*run); !started)
        m_error->showError(started.error());
    else
        showLive();
}

void TrainingPage::newRunLike()
{
    const TrainingRunRow *run = m_runs->run(m_shown);
    if (!run)
        return;
    const auto recipe = recipeOf(*run);
    if (!recipe) {
        m_error->showError(recipe.error());
        return;
    }
    showForm();
    m_form->setRecipe(*recipe);
}

void TrainingPage::compareShown()
{
    const TrainingRunRow *run = m_runs->run(m_shown);
    if (!run)
        return;
    const auto recipe = recipeOf(*run);
    Q_EMIT compareRequested(text(run->folder), recipe ? originalOf(*recipe) : QString());
}

void TrainingPage::showRun(qint64 run)
{
    m_list->setCurrentIndex(m_runs->indexOf(run));
}

void TrainingPage::choose(const QModelIndex &index)
{
    if (!index.isValid())
        return;
    m_shown = index.data(RunListModel::IdRole).toLongLong();
    m_stack->setCurrentWidget(m_view);
    present();
}

void TrainingPage::showLive()
{
    m_stack->setCurrentWidget(m_view);
    m_shown = m_controller.run();
    const QSignalBlocker block(m_list->selectionModel());
    m_list->setCurrentIndex(m_runs->indexOf(m_shown));
    m_view->showLive(overlays());
    present();
}

/// Shows what is chosen, as far as it has been read.
void TrainingPage::present()
{
    if (m_stack->currentWidget() != m_view)
        return;
    const bool live = m_controller.isRunning() && m_shown == m_controller.run();
    const TrainingRunRow *run = m_runs->run(m_shown);
    if (live) {
        m_view->showLive(overlays());
    } else if (run) {
        const auto metrics = metricsOf(m_shown);
        m_view->showStored(*run, metrics ? metrics : std::make_shared<const TrainingMetrics>(), overlays());
    }
    m_view->setNotes(run ? text(run->notes) : QString(), run && m_controller.canRecord());
}

std::vector<PlottedRun> TrainingPage::overlays()
{
    std::vector<PlottedRun> overlays;
    for (const qint64 id : m_runs->chosen()) {
        if (id == m_shown)
            continue;
        if (const auto metrics = metricsOf(id))
            overlays.push_back({text(m_runs->run(id)->name), 0, metrics});
    }
    return overlays;
}

/// Null as long as they are being read; present() is called again then.
std::shared_ptr<const TrainingMetrics> TrainingPage::metricsOf(qint64 run)
{
    if (m_controller.isRunning() && run == m_controller.run())
        return {std::shared_ptr<void>(), &m_controller.metrics()};
    if (const auto known = m_metrics.find(run); known != m_metrics.end())
        return known->second;
    if (run == m_controller.run())
        return m_metrics[run] = std::make_shared<const TrainingMetrics>(m_controller.metrics());
    m_metrics[run] = nullptr;
    m_store.run<TrainingMetrics>([run](Workspace &workspace) { return workspace.training().metrics(run); },
                                 [self = QPointer(this), run](Result<TrainingMetrics> metrics) {
                                     if (!self)
                                         return;
                                     if (!metrics) {
                                         self->m_error->showError(metrics.error());
                                         return;
                                     }
                                     self->m_metrics[run] =
                                         std::make_shared<const TrainingMetrics>(std::move(*metrics));
                                     self->present();
                                 });
    return nullptr;
}

void TrainingPage::afterRefresh()
{
    const bool none = m_runs->rowCount() == 0;
    m_list->setVisible(!none);
    m_empty->setVisible(none);
    // A live run has just got its row.
    if (m_stack->currentWidget() == m_view && m_view->isLive() && m_shown == 0)
        m_shown = m_controller.run();
    if (m_stack->currentWidget() == m_view && m_shown != 0 && !m_runs->run(m_shown) && !m_controller.isRunning()) {
        showForm();
        return;
    }
    {
        const QSignalBlocker block(m_list->selectionModel());
        m_list->setCurrentIndex(m_shown != 0 ? m_runs->indexOf(m_shown) : QModelIndex());
    }
    present();
}

} // namespace lens
