#include "uptrain/runview.h"

#include "bridge/format.h"
#include "uptrain/fidelityview.h"
#include "uptrain/runheader.h"
#include "uptrain/samplesview.h"
#include "widgets/errorbanner.h"

#include <QDir>
#include <QElapsedTimer>
#include <QFontDatabase>
#include <QLabel>
#include <QPlainTextEdit>
#include <QSignalBlocker>
#include <QSplitter>
#include <QTabWidget>
#include <QVBoxLayout>

namespace lens {
namespace {

constexpr int RedrawMilliseconds = 250;
constexpr int RestShare = 8; ///< a drawing may take one part in so many of the time
constexpr int SaveMilliseconds = 700;
constexpr double OnlyColour = 0.45; ///< of a run alone; several are spread over the whole scale

QPlainTextEdit *readOnlyText(const QString &name)
{
    auto *edit = new QPlainTextEdit;
    edit->setReadOnly(true);
    edit->setTabChangesFocus(true);
    edit->setAccessibleName(name);
    edit->setFrameShape(QFrame::NoFrame);
    return edit;
}

/// The controller's measurements, which grow in place and outlive the window.
std::shared_ptr<const TrainingMetrics> borrowed(const TrainingMetrics &metrics)
{
    return {std::shared_ptr<void>(), &metrics};
}

} // namespace

RunView::RunView(TrainingController &controller, QWidget *parent)
    : QWidget(parent), m_controller(controller), m_header(new RunHeader(controller)), m_error(new ErrorBanner),
      m_curves(new RunCurves), m_fidelity(new FidelityView), m_samples(new SamplesView), m_notes(new QPlainTextEdit),
      m_notices(readOnlyText(tr("What happened"))), m_recipe(readOnlyText(tr("Recipe")))
{
    m_recipe->setFont(QFontDatabase::systemFont(QFontDatabase::FixedFont));
    m_recipe->setLineWrapMode(QPlainTextEdit::NoWrap);
    auto *tabs = new QTabWidget;
    tabs->setDocumentMode(true);
    tabs->addTab(m_fidelity, tr("Layers"));
    tabs->addTab(m_samples, tr("Samples"));
    tabs->addTab(makeNotes(), tr("Notes"));
    tabs->addTab(m_recipe, tr("Recipe"));
    auto *splitter = new QSplitter;
    splitter->setChildrenCollapsible(false);
    splitter->addWidget(m_curves);
    splitter->addWidget(tabs);
    splitter->setStretchFactor(0, 3);
    splitter->setStretchFactor(1, 2);
    splitter->setSizes({600, 340});
    auto *layout = new QVBoxLayout(this);
    layout->setContentsMargins(18, 14, 18, 10);
    layout->setSpacing(8);
    layout->addWidget(m_header);
    layout->addWidget(m_error);
    layout->addWidget(splitter, 1);
    m_redraw.setSingleShot(true);
    m_redraw.setInterval(RedrawMilliseconds);
    m_save.setSingleShot(true);
    m_save.setInterval(SaveMilliseconds);
    connect(&m_redraw, &QTimer::timeout, this, &RunView::redraw);
    connect(&m_save, &QTimer::timeout, this, &RunView::saveNotes);
    connect(m_notes, &QPlainTextEdit::textChanged, &m_save, qOverload<>(&QTimer::start));
    connect(&controller, &TrainingController::measured, this, [this] {
        if (m_live && !m_redraw.isActive())
            m_redraw.start();
    });
}

QWidget *RunView::makeNotes()
{
    m_notes->setAccessibleName(tr("Notes"));
    m_notes->setPlaceholderText(tr("What this run was for, and what came of it. Saved as you write."));
    m_notes->setTabChangesFocus(true);
    auto *page = new QWidget;
    auto *layout = new QVBoxLayout(page);
    layout->setContentsMargins(8, 8, 8, 4);
    auto *heading = new QLabel(tr("What happened"));
    heading->setProperty("heading", true);
    layout->addWidget(m_notes, 1);
    layout->addWidget(heading);
    layout->addWidget(m_notices, 1);
    return page;
}

void RunView::showLive(std::vector<PlottedRun> overlays)
{
    m_live = true;
    m_run = 0;
    m_name = m_controller.runName();
    m_metrics = borrowed(m_controller.metrics());
    m_overlays = std::move(overlays);
    m_error->hide();
    m_header->showLive();
    showRecipe(QString::fromStdString(recipeText(m_controller.recipe())),
               QString::fromStdString(m_controller.recipe().out));
    m_shownNotices = ~std::size_t(0);
    redraw();
}

void RunView::showStored(const TrainingRunRow &run, std::shared_ptr<const TrainingMetrics> metrics,
                         std::vector<PlottedRun> overlays)
{
    m_live = false;
    m_run = run.id;
    m_name = text(run.name);
    m_metrics = std::move(metrics);
    m_overlays = std::move(overlays);
    m_header->showStored(run, *m_metrics);
    const auto recipe = recipeOf(run);
    showRecipe(recipe ? QString::fromStdString(recipeText(*recipe)) : text(run.recipe), text(run.folder));
    m_error->setVisible(run.status == TrainingStatus::Failed);
    if (run.status == TrainingStatus::Failed)
        m_error->showWarning(tr("Ended by an error. %1").arg(text(run.message)), false);
    m_shownNotices = ~std::size_t(0);
    redraw();
}

void RunView::setNotes(const QString &notes, bool editable)
{
    if (m_notesRun == run() && m_save.isActive())
        return;
    saveNotes();
    m_notesRun = run();
    m_notes->setReadOnly(!editable);
    if (m_notes->toPlainText() == notes)
        return;
    const QSignalBlocker block(m_notes);
    m_notes->setPlainText(notes);
}

void RunView::saveNotes()
{
    if (!m_save.isActive() && sender() != &m_save)
        return;
    m_save.stop();
    if (m_notesRun > 0)
        Q_EMIT notesEdited(m_notesRun, m_notes->toPlainText());
}

void RunView::redraw()
{
    if (!m_metrics)
        return;
    QElapsedTimer timer;
    timer.start();
    std::vector<PlottedRun> runs{{m_name, m_overlays.empty() ? OnlyColour : 0, m_metrics}};
    for (std::size_t i = 0; i < m_overlays.size(); ++i) {
        m_overlays[i].colorPosition = double(i + 1) / double(m_overlays.size());
        runs.push_back(m_overlays[i]);
    }
    m_curves->setRuns(std::move(runs));
    m_fidelity->setMetrics(m_metrics);
    m_samples->setMetrics(m_metrics);
    showNotices();
    m_redraw.setInterval(std::max(RedrawMilliseconds, RestShare * int(timer.elapsed())));
}

void RunView::showNotices()
{
    if (m_metrics->notices.size() == m_shownNotices)
        return;
    m_shownNotices = m_metrics->notices.size();
    QStringList lines;
    for (const TrainingNotice &notice : m_metrics->notices)
        lines.append(text(notice.text));
    m_notices->setPlainText(lines.isEmpty() ? tr("Nothing out of the ordinary.") : lines.join(QLatin1Char('\n')));
}

void RunView::showRecipe(const QString &json, const QString &folder)
{
    m_recipe->setPlainText(QDir::toNativeSeparators(folder) + QStringLiteral("\n\n") + json);
}

} // namespace lens
