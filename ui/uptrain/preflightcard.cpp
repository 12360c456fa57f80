#include "uptrain/preflightcard.h"

#include "bridge/format.h"

#include <QFormLayout>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>

namespace lens {
namespace {

constexpr int QuietMilliseconds = 400;
constexpr int BarSteps = 1000;

QLabel *valueLabel()
{
    auto *label = new QLabel;
    label->setWordWrap(true);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse);
    return label;
}

QString ofAvailable(quint64 needed, quint64 available)
{
    return available == 0 ? formatBytes(needed)
                          : PreflightCard::tr("%1 of %2 free").arg(formatBytes(needed), formatBytes(available));
}

} // namespace

PreflightCard::PreflightCard(TrainingController &controller, QWidget *parent)
    : QFrame(parent), m_controller(controller), m_parameters(valueLabel()), m_memory(valueLabel()),
      m_memoryBar(new QProgressBar), m_disk(valueLabel()), m_time(valueLabel()), m_warnings(valueLabel()),
      m_reason(valueLabel()), m_start(new QPushButton(tr("Start training")))
{
    setProperty("card", true);
    auto *heading = new QLabel(tr("Before it begins"));
    heading->setProperty("heading", true);
    m_memoryBar->setRange(0, BarSteps);
    m_memoryBar->setTextVisible(false);
    m_memoryBar->setFixedHeight(6);
    m_memoryBar->setAccessibleName(tr("Share of the free memory that is needed"));
    m_start->setProperty("primary", true);
    m_reason->setProperty("muted", true);
    m_warnings->setProperty("warning", true);
    auto *form = new QFormLayout;
    form->setHorizontalSpacing(14);
    form->addRow(tr("Parameters"), m_parameters);
    form->addRow(tr("Memory"), m_memory);
    form->addRow(QString(), m_memoryBar);
    form->addRow(tr("Disk"), m_disk);
    form->addRow(tr("Time"), m_time);
    for (int row = 0; row < form->rowCount(); ++row) {
        if (auto *item = form->itemAt(row, QFormLayout::LabelRole))
            item->widget()->setProperty("muted", true);
    }
    auto *layout = new QVBoxLayout(this);
    layout->setContentsMargins(14, 12, 14, 14);
    layout->setSpacing(10);
    layout->addWidget(heading);
    layout->addLayout(form);
    layout->addWidget(m_warnings);
    layout->addStretch();
    layout->addWidget(m_reason);
    layout->addWidget(m_start);
    m_quiet.setSingleShot(true);
    m_quiet.setInterval(QuietMilliseconds);
    connect(&m_quiet, &QTimer::timeout, this, &PreflightCard::estimateNow);
    connect(m_start, &QPushButton::clicked, this, &PreflightCard::startRequested);
    connect(&controller, &TrainingController::stateChanged, this, &PreflightCard::updateStart);
    clearFigures();
    updateStart();
}

void PreflightCard::setRecipe(const Recipe &recipe, const QString &problem)
{
    if (recipe == m_recipe && problem == m_problem)
        return;
    m_recipe = recipe;
    m_problem = problem;
    m_refusal.clear();
    m_estimated = false;
    if (m_problem.isEmpty()) {
        m_quiet.start();
    } else {
        m_quiet.stop();
        clearFigures();
    }
    updateStart();
}

void PreflightCard::estimateNow()
{
    m_controller.estimate(m_recipe, [this, asked = m_recipe](const Result<TrainingEstimate> &estimate) {
        if (asked != m_recipe || !m_problem.isEmpty())
            return;
        m_estimated = true;
        if (estimate) {
            present(*estimate);
        } else {
            clearFigures();
            m_refusal = text(toString(estimate.error()));
        }
        updateStart();
    });
}

void PreflightCard::clearFigures()
{
    for (QLabel *label : {m_parameters, m_memory, m_disk, m_time})
        label->setText(QStringLiteral("–"));
    m_memoryBar->setValue(0);
    m_warnings->hide();
}

void PreflightCard::present(const TrainingEstimate &estimate)
{
    m_parameters->setText(estimate.trained == estimate.parameters
                              ? tr("%1, all trained").arg(formatCount(estimate.parameters))
                              : tr("%1, of them %2 trained")
                                    .arg(formatCount(estimate.parameters), formatCount(estimate.trained)));
    m_memory->setText(ofAvailable(estimate.memory, estimate.availableMemory));
    const double share =
        estimate.availableMemory > 0 ? double(estimate.memory) / double(estimate.availableMemory) : 0;
    m_memoryBar->setVisible(estimate.availableMemory > 0);
    m_memoryBar->setValue(int(qBound(0.0, share, 1.0) * BarSteps));
    m_disk->setText(ofAvailable(estimate.disk, estimate.availableDisk));
    m_time->setText(estimate.seconds > 0 ? tr("about %1").arg(formatDuration(estimate.seconds)) : tr("unknown"));
    QStringList warnings;
    for (const std::string &warning : estimate.warnings)
        warnings.append(QStringLiteral("• ") + text(warning));
    m_warnings->setText(warnings.join(QLatin1Char('\n')));
    m_warnings->setVisible(!warnings.isEmpty());
}

QString PreflightCard::reason() const
{
    if (m_controller.isRunning())
        return tr("“%1” is running: one training at a time.").arg(m_controller.runName());
    if (!m_controller.canRecord())
        return tr("The workspace is open elsewhere and read-only here: no run can be entered.");
    if (!m_problem.isEmpty())
        return m_problem;
    if (!m_refusal.isEmpty())
        return m_refusal;
    return m_estimated ? QString() : tr("Estimating…");
}

/// A recipe that makes sense may start before its estimate is there: looking is quicker than reading.
bool PreflightCard::canStart() const
{
    return !m_controller.isRunning() && m_controller.canRecord() && m_problem.isEmpty() && m_refusal.isEmpty();
}

void PreflightCard::updateStart()
{
    m_start->setEnabled(canStart());
    const QString why = reason();
    m_reason->setText(why);
    m_reason->setVisible(!why.isEmpty());
    m_start->setAccessibleDescription(why);
}

} // namespace lens
