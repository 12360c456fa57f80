#include "uptrain/runheader.h"

#include "bridge/format.h"
#include "bridge/trainingdata.h"
#include "plot/ticks.h"
#include "uptrain/runlistmodel.h"
#include "widgets/factline.h"

#include <QDateTime>
#include <QHBoxLayout>
#include <QLabel>
#include <QLocale>
#include <QProgressBar>
#include <QPushButton>

#include <cmath>

namespace lens {
namespace {

constexpr int BarSteps = 1000;

QString whole(std::int64_t number)
{
    return QLocale().toString(qlonglong(number));
}

QString stateName(TrainingController::State state, const Progress &progress)
{
    using State = TrainingController::State;
    switch (state) {
    case State::Preparing:
        return progress.stage.empty() ? RunHeader::tr("preparing") : text(progress.stage);
    case State::Training:
        return progress.stage.empty() || progress.stage == "training" ? RunHeader::tr("training") : text(progress.stage);
    case State::Paused: return RunHeader::tr("paused");
    case State::Stopping: return RunHeader::tr("ending; what was learnt is being written");
    case State::Idle: break;
    }
    return RunHeader::tr("ended");
}

} // namespace

RunHeader::RunHeader(TrainingController &controller, QWidget *parent)
    : QWidget(parent), m_controller(controller), m_name(new QLabel), m_status(new QLabel),
      m_progress(new QProgressBar), m_facts(new FactLine), m_pause(new QPushButton(tr("Pause"))),
      m_compareNow(new QPushButton(tr("Compare now"))), m_stop(new QPushButton(tr("Stop and keep"))),
      m_cancel(new QPushButton(tr("Cancel"))), m_compare(new QPushButton(tr("Compare with original"))),
      m_goOn(new QPushButton(tr("Go on"))), m_again(new QPushButton(tr("New run like this"))),
      m_remove(new QPushButton(tr("Remove")))
{
    QFont large = m_name->font();
    large.setPointSizeF(large.pointSizeF() * 1.25);
    large.setBold(true);
    m_name->setFont(large);
    m_name->setTextFormat(Qt::PlainText);
    m_name->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    m_status->setProperty("muted", true);
    m_progress->setRange(0, BarSteps);
    m_progress->setTextVisible(false);
    m_progress->setFixedHeight(6);
    m_progress->setAccessibleName(tr("Steps done"));
    auto *first = new QHBoxLayout;
    first->addWidget(m_name, 1);
    first->addWidget(makeButtons());
    auto *second = new QHBoxLayout;
    second->addWidget(m_status);
    second->addWidget(m_progress, 1);
    auto *layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addLayout(first);
    layout->addLayout(second);
    layout->addWidget(m_facts);
    showButtons(false, false, false, false);
    connect(&controller, &TrainingController::stateChanged, this, &RunHeader::refreshLive);
    connect(&controller, &TrainingController::progressed, this, &RunHeader::refreshLive);
    connect(&controller, &TrainingController::measured, this, &RunHeader::refreshLive);
}

QWidget *RunHeader::makeButtons()
{
    m_compareNow->setToolTip(tr("Open the model as it is now beside its original"));
    m_stop->setToolTip(tr("End after this step as if it had been the last, and write the model"));
    m_cancel->setToolTip(tr("End at once, with a checkpoint to go on from, but without a model"));
    m_again->setToolTip(tr("The form of a new run, filled in as this one's was"));
    m_compare->setToolTip(tr("Open the trained model beside its original"));
    m_pause->setToolTip(tr("Hold after this step; nothing is lost"));
    auto *buttons = new QWidget;
    auto *row = new QHBoxLayout(buttons);
    row->setContentsMargins(0, 0, 0, 0);
    for (QPushButton *button : {m_pause, m_compareNow, m_stop, m_cancel, m_compare, m_goOn, m_again, m_remove})
        row->addWidget(button);
    connect(m_pause, &QPushButton::clicked, this, [this] {
        if (m_controller.state() == TrainingController::State::Paused)
            m_controller.resume();
        else
            m_controller.pause();
    });
    connect(m_compareNow, &QPushButton::clicked, this, [this] {
        m_controller.exportNow();
        m_compareNow->setEnabled(false);
        m_compareNow->setText(tr("Writing…"));
    });
    connect(&m_controller, &TrainingController::exported, this, &RunHeader::offerComparison);
    connect(&m_controller, &TrainingController::exportFailed, this, &RunHeader::offerComparison);
    connect(m_stop, &QPushButton::clicked, &m_controller, &TrainingController::stopAndKeep);
    connect(m_cancel, &QPushButton::clicked, &m_controller, &TrainingController::cancel);
    connect(m_compare, &QPushButton::clicked, this, &RunHeader::compareRequested);
    connect(m_goOn, &QPushButton::clicked, this, &RunHeader::goOnRequested);
    connect(m_again, &QPushButton::clicked, this, &RunHeader::againRequested);
    connect(m_remove, &QPushButton::clicked, this, &RunHeader::removeRequested);
    return buttons;
}

void RunHeader::showButtons(bool running, bool ended, bool canGoOn, bool hasModel)
{
    for (QPushButton *button : {m_pause, m_compareNow, m_stop, m_cancel})
        button->setVisible(running);
    m_compare->setVisible(ended && hasModel);
    m_goOn->setVisible(ended && canGoOn);
    m_again->setVisible(ended);
    m_remove->setVisible(ended);
    enableButtons();
}

void RunHeader::enableButtons()
{
    m_goOn->setEnabled(!m_controller.isRunning() && m_controller.canRecord());
    m_remove->setEnabled(m_controller.canRecord());
}

void RunHeader::offerComparison()
{
    m_compareNow->setEnabled(true);
    m_compareNow->setText(tr("Compare now"));
}

void RunHeader::showLive()
{
    m_live = true;
    offerComparison();
    refreshLive();
}

void RunHeader::refreshLive()
{
    if (!m_live) {
        enableButtons();
        return;
    }
    using State = TrainingController::State;
    const State state = m_controller.state();
    const Progress &progress = m_controller.progress();
    m_name->setText(m_controller.runName());
    m_status->setText(stateName(state, progress));
    showButtons(state != State::Idle, false, false, false);
    m_pause->setText(state == State::Paused ? tr("Resume") : tr("Pause"));
    for (QPushButton *button : {m_pause, m_stop, m_cancel})
        button->setEnabled(state != State::Stopping);
    const TrainingMetrics &metrics = m_controller.metrics();
    const std::int64_t total = totalSteps(m_controller.recipe());
    if (metrics.steps.empty() && progress.total > 0)
        m_progress->setValue(int(double(progress.done) / double(progress.total) * BarSteps));
    else if (total > 0)
        m_progress->setValue(metrics.steps.empty() ? 0 : int(metrics.steps.back().step * BarSteps / total));
    m_progress->show();
    showFacts(metrics, total, state == State::Training ? secondsLeft(metrics.steps, total) : -1);
}

void RunHeader::showStored(const TrainingRunRow &run, const TrainingMetrics &metrics)
{
    m_live = false;
    m_name->setText(text(run.name));
    const QString when = QLocale().toString(QDateTime::fromMSecsSinceEpoch(run.started), QLocale::ShortFormat);
    const bool isThere = holdsRun(run.folder), hasCheckpoint = holdsCheckpoint(run.folder);
    m_status->setText(isThere ? tr("%1 · begun %2").arg(statusName(run.status), when)
                              : tr("%1 · begun %2 · its folder is gone").arg(statusName(run.status), when));
    m_progress->hide();
    const bool goesOn = isThere && run.status != TrainingStatus::Finished;
    const QString readOnly = tr("The workspace is open elsewhere and read-only here");
    m_goOn->setToolTip(!m_controller.canRecord() ? readOnly
                       : hasCheckpoint           ? tr("Go on from the newest checkpoint")
                                       : tr("There is no checkpoint yet: goes on from the beginning"));
    m_remove->setToolTip(m_controller.canRecord() ? tr("Remove from the list; the folder stays") : readOnly);
    // A cancelled run stops with a message and a checkpoint, but without a model.
    const bool hasModel = holdsModel(run.folder) && (run.status == TrainingStatus::Finished ||
                                                     (run.status == TrainingStatus::Stopped && run.message.empty()));
    showButtons(false, run.status != TrainingStatus::Running, goesOn, hasModel);
    showFacts(metrics, run.totalSteps, -1);
}

void RunHeader::showFacts(const TrainingMetrics &metrics, std::int64_t totalSteps, double left)
{
    QStringList facts;
    if (!metrics.steps.empty()) {
        const StepMetrics &last = metrics.steps.back();
        facts.append(tr("step %1 of %2").arg(whole(last.step), whole(totalSteps)));
        facts.append(tr("%1 tokens").arg(formatCount(quint64(std::max<std::int64_t>(0, last.tokens)))));
        if (std::isfinite(last.tokensPerSecond) && last.tokensPerSecond > 0)
            facts.append(tr("%1 tokens/s").arg(whole(std::llround(last.tokensPerSecond))));
        facts.append(tr("loss %1").arg(formatValue(last.loss)));
    }
    if (!metrics.evaluations.empty()) {
        const EvaluationMetrics &last = metrics.evaluations.back();
        facts.append(last.originalPerplexity > 0
                         ? tr("perplexity %1, original %2")
                               .arg(formatValue(last.perplexity), formatValue(last.originalPerplexity))
                         : tr("perplexity %1").arg(formatValue(last.perplexity)));
    }
    if (left >= 0)
        facts.append(tr("%1 left").arg(formatDuration(left)));
    m_facts->setText(facts.join(QStringLiteral(" · ")));
}

} // namespace lens
