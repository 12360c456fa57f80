// What else the model considered at one token: the most probable alternatives, with bars.
#pragma once

#include "bridge/conversation.h"

#include <QWidget>

namespace lens {

class TokenPopup : public QWidget {
    Q_OBJECT

public:
    explicit TokenPopup(QWidget *parent);

    /// Below (or above) `anchor`, which is in global coordinates.
    void showFor(const ShownToken &token, const QRect &anchor);

protected:
    void paintEvent(QPaintEvent *event) override;

private:
    struct Row {
        QString text;
        double probability = 0;
        bool chosen = false;
    };

    int rowHeight() const;

    QString m_heading;
    QString m_footing;
    std::vector<Row> m_rows;
};

} // namespace lens
