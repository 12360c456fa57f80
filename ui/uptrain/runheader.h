// What a run is doing, in a line or two, and what can be done about it.
#pragma once

#include "bridge/trainingcontroller.h"

#include <QWidget>

class QLabel;
class QProgressBar;
class QPushButton;

namespace lens {

class FactLine;

class RunHeader : public QWidget {
    Q_OBJECT

public:
    /// `controller` must outlive the header.
    explicit RunHeader(TrainingController &controller, QWidget *parent = nullptr);

    /// The controller's run; follows it.
    void showLive();
    void showStored(const TrainingRunRow &run, const TrainingMetrics &metrics);

Q_SIGNALS:
    void compareRequested();
    void goOnRequested();
    void againRequested();
    void removeRequested();

private:
    QWidget *makeButtons();
    void refreshLive();
    void offerComparison();
    void enableButtons();
    void showButtons(bool running, bool ended, bool canGoOn, bool hasModel);
    void showFacts(const TrainingMetrics &metrics, std::int64_t totalSteps, double left);

    TrainingController &m_controller;
    QLabel *m_name;
    QLabel *m_status;
    QProgressBar *m_progress;
    FactLine *m_facts;
    QPushButton *m_pause;
    QPushButton *m_compareNow;
    QPushButton *m_stop;
    QPushButton *m_cancel;
    QPushButton *m_compare;
    QPushButton *m_goOn;
    QPushButton *m_again;
    QPushButton *m_remove;
    bool m_live = false;
};

} // namespace lens
