// Decay: fixed ones as curves and numbers, those that depend on the input as a heat map over time. How much of a key n tokens back is left, gamma^n, per head, beside how far the head (and the softmax head it
// came from) really looks. To be put into a QDockWidget; its title is windowTitle().
#pragma once

#include "engine/modelinfo.h"
#include "probe/frames.h"

#include <QStringList>
#include <QWidget>

#include <memory>

namespace lens {

class HeadMap;
class Selection;

class DecayDock : public QWidget {
    Q_OBJECT

public:
    /// `selection` must outlive the dock.
    explicit DecayDock(Selection *selection, QWidget *parent = nullptr);
    ~DecayDock() override;

    /// One name per column of the compare view, left to right. Forgets models and summaries.
    /// Calls that name a column which is not there are ignored: queued events may outlive their column.
    void setColumns(const QStringList &names);
    /// A model without layers means that none is chosen.
    void setModel(int column, const ModelInfo &model);

    /// What was measured on the column's text. The linear column's and the softmax column's are shown side by side.
    void setSummary(int column, const AttentionSummary &summary);
    void clearSummaries();

    /// Retention of every head after each token: what is to be appended, named and cleared goes there.
    HeadMap &overTime();

    /// The column whose decay is on show: chosen by the user, else the first with decay.
    int shownColumn() const;
    void showColumn(int column);

    QSize sizeHint() const override;

protected:
    void changeEvent(QEvent *event) override;

private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

} // namespace lens
