// The line above a lens: what is shown, in muted text that gives way, then its controls.
#pragma once

#include <QComboBox>
#include <QLabel>
#include <QToolButton>
#include <QWidget>

#include <functional>

class QHBoxLayout;
class QMenu;

namespace lens {

/// One line of text, shortened with an ellipsis where there is no room; the tool tip has all of it.
class ElidedLabel : public QLabel {
    Q_OBJECT

public:
    explicit ElidedLabel(QWidget *parent = nullptr);

    void setMuted(bool muted) { m_muted = muted; }
    void setFullText(const QString &text);
    QSize minimumSizeHint() const override;

protected:
    void paintEvent(QPaintEvent *event) override;

private:
    bool m_muted = true;
};

class DockHeader : public QWidget {
    Q_OBJECT

public:
    explicit DockHeader(QWidget *parent = nullptr);

    void setText(const QString &text) { m_text->setFullText(text); }
    QString text() const { return m_text->text(); }

    QComboBox *addCombo(const QString &accessibleName);
    QToolButton *addButton(const QString &text, const QString &toolTip, bool checkable);
    /// The "more" button; `fill` is called each time it opens.
    void addMenu(std::function<void(QMenu *)> fill);

private:
    ElidedLabel *m_text;
    QHBoxLayout *m_layout;
};

} // namespace lens
