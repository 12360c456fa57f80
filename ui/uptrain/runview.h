// One run: its header, its curves, and beside them how close the layers are, what it writes, and what was noted.
#pragma once

#include "uptrain/runcurves.h"
#include "uptrain/runlistmodel.h"

#include <QTimer>
#include <QWidget>

class QPlainTextEdit;

namespace lens {

class ErrorBanner;
class FidelityView;
class RunHeader;
class SamplesView;

class RunView : public QWidget {
    Q_OBJECT

public:
    /// `controller` must outlive the view.
    explicit RunView(TrainingController &controller, QWidget *parent = nullptr);

    /// The controller's run; follows it. `overlays` as in showStored().
    void showLive(std::vector<PlottedRun> overlays);
    /// `overlays`: further runs, laid over this one's curves.
    void showStored(const TrainingRunRow &run, std::shared_ptr<const TrainingMetrics> metrics,
                    std::vector<PlottedRun> overlays);
    bool isLive() const { return m_live; }
    qint64 run() const { return m_live ? m_controller.run() : m_run; }
    void setNotes(const QString &notes, bool editable);
    /// At once, if they were edited.
    void saveNotes();

    RunHeader &header() { return *m_header; }
    RunCurves &curves() { return *m_curves; }

Q_SIGNALS:
    void notesEdited(qint64 run, const QString &notes);

private:
    QWidget *makeNotes();
    void redraw();
    void showRecipe(const QString &json, const QString &folder);
    void showNotices();

    TrainingController &m_controller;
    RunHeader *m_header;
    ErrorBanner *m_error;
    RunCurves *m_curves;
    FidelityView *m_fidelity;
    SamplesView *m_samples;
    QPlainTextEdit *m_notes;
    QPlainTextEdit *m_notices;
    QPlainTextEdit *m_recipe;
    QTimer m_redraw;
    QTimer m_save;
    bool m_live = false;
    qint64 m_run = 0;
    qint64 m_notesRun = 0;
    QString m_name;
    std::shared_ptr<const TrainingMetrics> m_metrics;
    std::vector<PlottedRun> m_overlays;
    std::size_t m_shownNotices = 0;
};

} // namespace lens
