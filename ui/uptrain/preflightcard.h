// What a run will cost, before it begins: size, memory, disk, time, and what speaks against it. The start button.
#pragma once

#include "bridge/trainingcontroller.h"

#include <QFrame>
#include <QTimer>

class QLabel;
class QProgressBar;
class QPushButton;

namespace lens {

class PreflightCard : public QFrame {
    Q_OBJECT

public:
    /// `controller` must outlive the card.
    explicit PreflightCard(TrainingController &controller, QWidget *parent = nullptr);

    /// What would be started; estimated anew when the form has been quiet for a moment. `problem` says why it cannot
    /// be, and then nothing is estimated.
    void setRecipe(const Recipe &recipe, const QString &problem);

    bool canStart() const;
    QString reason() const; ///< why not; empty when it can

Q_SIGNALS:
    void startRequested();

private:
    void estimateNow();
    void present(const TrainingEstimate &estimate);
    void clearFigures();
    void updateStart();

    TrainingController &m_controller;
    QLabel *m_parameters;
    QLabel *m_memory;
    QProgressBar *m_memoryBar;
    QLabel *m_disk;
    QLabel *m_time;
    QLabel *m_warnings;
    QLabel *m_reason;
    QPushButton *m_start;
    QTimer m_quiet;
    Recipe m_recipe;
    QString m_problem;
    QString m_refusal; ///< the estimate's
    bool m_estimated = false;
};

} // namespace lens
