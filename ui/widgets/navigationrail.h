// The strip at the far left: one button per workspace.
#pragma once

#include <QButtonGroup>
#include <QFrame>

class QVBoxLayout;

namespace lens {

class NavigationRail : public QFrame {
    Q_OBJECT

public:
    explicit NavigationRail(QWidget *parent = nullptr);

    void addPage(const QString &iconName, const QString &text);
    int current() const;
    void setCurrent(int page);

Q_SIGNALS:
    void chosen(int page);

private:
    QVBoxLayout *m_layout;
    QButtonGroup m_buttons;
};

} // namespace lens
