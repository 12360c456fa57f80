// Attention of two columns on one text: first, second, signed difference, and per layer x head how far they are apart.
// Holds no matrices but those on show: it asks for others by signal. To be put into a QDockWidget; its title is
// windowTitle().
#pragma once

#include "base/progress.h"
#include "engine/modelinfo.h"
#include "probe/frames.h"

#include <QStringList>
#include <QWidget>

#include <memory>

namespace lens {

class Selection;

class AttentionDock : public QWidget {
    Q_OBJECT

public:
    /// Which of the two models compared; the difference is Second - First.
    enum Side { First = 0, Second = 1 };

    /// `selection` must outlive the dock.
    explicit AttentionDock(Selection *selection, QWidget *parent = nullptr);
    ~AttentionDock() override;

    /// One name per column of the compare view, left to right. The pair becomes columns 0 and 1 unless both columns
    /// of the present pair are still there. Forgets what was measured.
    /// Calls that name a column which is not there are ignored: queued events may outlive their column.
    void setColumns(const QStringList &names);
    /// A model without layers means that none is chosen.
    void setModel(int column, const ModelInfo &model);

    /// The columns compared; the user can choose others when there are more than two. -1 when there is none.
    int column(Side side) const;
    RowScaling scaling() const;
    /// Whether the user wants a measurement after every answer without asking.
    bool autoMeasure() const;
    void setAutoMeasure(bool automatic);

    /// While true: progress and a cancel button; measureRequested() is not emitted.
    void setMeasuring(bool measuring);
    void setProgress(const Progress &progress);

    /// A measurement of `tokenTexts` ended. Emits headRequested() and errorsRequested() for what is to be shown.
    void setMeasured(const QStringList &tokenTexts);

    /// Answer to headRequested(); ignored when another layer or head has been chosen meanwhile. Square, row = query.
    void setHead(Side side, const HeadAttention &head);

    /// Answer to errorsRequested(); empty when the two cannot be compared, then setNotice() should say why.
    void setErrors(const AttentionErrors &errors);

    /// One sentence under the header: why the two cannot be compared, why a measurement failed, that the text was
    /// cut to so many tokens. Empty removes it. Incomparable layer and head counts are noticed by the dock itself.
    void setNotice(const QString &notice);

    /// Forgets matrices and errors: the text has changed.
    void clear();

    QSize sizeHint() const override;

protected:
    void resizeEvent(QResizeEvent *event) override;
    void changeEvent(QEvent *event) override;

Q_SIGNALS:
    /// Measure column(First) and column(Second) on their common text, then call setMeasured().
    void measureRequested();
    void cancelRequested();
    /// Call setHead() for both sides, where that layer and head exist.
    void headRequested(qint64 layer, qint64 head, lens::RowScaling scaling);
    void errorsRequested(lens::RowScaling scaling);
    void autoMeasureChanged(bool automatic);

private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

} // namespace lens
