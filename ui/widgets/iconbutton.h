// A tool button with an icon of ours that follows the theme. Its text is its tool tip and accessible name.
#pragma once

#include <QToolButton>

namespace lens {

class IconButton : public QToolButton {
    Q_OBJECT

public:
    IconButton(const QString &iconName, const QString &text, QWidget *parent = nullptr);

    void setIconName(const QString &iconName);
    void setLabel(const QString &text);

protected:
    void changeEvent(QEvent *event) override;

private:
    QString m_iconName;
};

} // namespace lens
