// What the answer costs: speed, memory and how it grows, and how full the context is.
#pragma once

#include <QWidget>

namespace lens {

class Column;

class ColumnFooter : public QWidget {
    Q_OBJECT

public:
    /// `column` must outlive the footer.
    explicit ColumnFooter(const Column &column, QWidget *parent = nullptr);

    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return QSize(100, sizeHint().height()); }
    QString summary() const;

protected:
    void paintEvent(QPaintEvent *event) override;

private:
    QStringList lines(bool shortly) const;
    QString speedText(bool shortly) const;
    QString memoryText(bool shortly) const;
    QString contextText(bool shortly) const;
    void refresh();

    const Column &m_column;
};

/// "KV cache 1.2 MB, grows 9.2 kB/token" or "state 0.6 MB, constant".
/// Shortly: "KV 1.2 MB, +9.2 kB/token" or "state 0.6 MB, constant".
QString memoryText(quint64 stateBytes, quint64 kvBytesPerToken, bool shortly = false);

/// How full the context is. The scale ends at twice the trained length when a text goes beyond it, which is marked.
struct ContextScale {
    double filled = 0; ///< 0..1 of the bar
    double mark = 1;   ///< where the trained length is, 0..1 of the bar
};
ContextScale contextScale(qint64 tokens, qint64 trained);

} // namespace lens
