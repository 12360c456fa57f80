// A combo box that shortens its text with an ellipsis where Qt's would cut a letter in half.
#pragma once

#include <QComboBox>
#include <QSignalBlocker>

namespace lens {

class ElidedCombo : public QComboBox {
    Q_OBJECT

public:
    using QComboBox::QComboBox;

    QSize minimumSizeHint() const override;

protected:
    void initStyleOption(QStyleOptionComboBox *option) const override;
};

/// Fills a choice among `columns`, which have names, without a signal; without a choice to make (`enough` columns are
/// needed for one) it is hidden.
template <class Columns> void fillColumnChoice(QComboBox *choice, const Columns &columns, int current, int enough)
{
    const QSignalBlocker block(choice);
    choice->clear();
    for (const auto &column : columns)
        choice->addItem(column.name);
    choice->setCurrentIndex(current);
    choice->setVisible(int(columns.size()) >= enough);
}

} // namespace lens
