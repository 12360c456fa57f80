// One quantity of every head after each token, live while a column generates: the norm of its recurrent state, or what
// the decay left of it. Rows are layer x head, columns are tokens. To be put into a QDockWidget, or another dock; its
// title is windowTitle().
#pragma once

#include "engine/modelinfo.h"
#include "probe/frames.h"

#include <QStringList>
#include <QWidget>

#include <memory>

namespace lens {

class Selection;

class HeadMap : public QWidget {
    Q_OBJECT

public:
    /// `selection` must outlive the dock.
    HeadMap(Selection *selection, HeadQuantity quantity, QWidget *parent = nullptr);
    ~HeadMap() override;

    /// One name per column of the compare view, left to right. Forgets columns that are gone.
    /// Calls that name a column which is not there are ignored: queued events may outlive their column.
    void setColumns(const QStringList &names);
    int columnCount() const;

    /// A model without layers means that none is chosen.
    void setModel(int column, const ModelInfo &model);

    /// For a place that has a header of its own.
    void setHeaderVisible(bool visible);

    /// Cheap: stores the frame and redraws at most 30 times a second. Frames of another quantity are ignored. Tokens from `firstToken` on are replaced, so a
    /// regenerated answer overwrites the old one; tokens skipped stay empty.
    void append(int column, const HeadFrame &frame);

    /// Texts of tokens, the first one at position `firstToken`; for the read-out. Later ones are forgotten.
    void setTokenTexts(int column, qint64 firstToken, const QStringList &texts);

    void clear(int column);

    /// The column on show. Chosen by the user, else the first one with recurrent state.
    int shownColumn() const;
    void showColumn(int column);

    QSize sizeHint() const override;

private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

} // namespace lens
