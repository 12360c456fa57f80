// The head of a column: which model it shows, what is known about it, and the menu to choose another.
#pragma once

#include "bridge/modellibrary.h"

#include <QToolButton>

namespace lens {

class ModelChooser : public QToolButton {
    Q_OBJECT

public:
    /// `library` must outlive the chooser.
    explicit ModelChooser(ModelLibrary &library, QWidget *parent = nullptr);

    void setChosen(quint64 entry);
    /// What is known about the model, in one line.
    const QString &detail() const { return m_detail; }

    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

Q_SIGNALS:
    void chosen(quint64 entry);
    void convertedRequested(quint64 source);
    void openRequested();

protected:
    void paintEvent(QPaintEvent *event) override;

private:
    void fillMenu();

    ModelLibrary &m_library;
    quint64 m_entry = 0;
    QString m_name;
    QString m_detail;
};

/// "SUPRA · b771e0 · 6L × 8H · float32".
QString columnDetail(const ModelInfo &info);

} // namespace lens
