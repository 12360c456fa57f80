// One line of text that gives way: cut with an ellipsis when there is no room, whole in the tool tip.
#pragma once

#include <QFrame>

namespace lens {

class ElidedLabel : public QFrame {
    Q_OBJECT

public:
    explicit ElidedLabel(const QString &text = {}, QWidget *parent = nullptr);

    const QString &text() const { return m_text; }
    void setText(const QString &text);
    void setElideMode(Qt::TextElideMode mode);
    /// The palette role it is written in.
    void setRole(QPalette::ColorRole role);

    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

protected:
    void paintEvent(QPaintEvent *event) override;
    void resizeEvent(QResizeEvent *event) override;

private:
    void updateToolTip();

    QString m_text;
    Qt::TextElideMode m_mode = Qt::ElideRight;
    QPalette::ColorRole m_role = QPalette::WindowText;
};

} // namespace lens
