// One muted line of facts that gives way: cut with an ellipsis where there is no room, whole in the tool tip.
#pragma once

#include <QWidget>

namespace lens {

class FactLine : public QWidget {
    Q_OBJECT

public:
    explicit FactLine(QWidget *parent = nullptr);

    const QString &text() const { return m_text; }
    void setText(const QString &text);

    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

protected:
    void paintEvent(QPaintEvent *event) override;

private:
    QString m_text;
};

} // namespace lens
