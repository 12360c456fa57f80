// A message where it belongs, instead of a dialog: what happened, where, and what to do; can be copied and closed.
#pragma once

#include "base/error.h"

#include <QFrame>
#include <QLabel>

class QBoxLayout;
class QPushButton;

namespace lens {

class ErrorBanner : public QFrame {
    Q_OBJECT

public:
    explicit ErrorBanner(QWidget *parent = nullptr);

    void showError(const Error &error);
    /// Something to know that is no failure.
    void showWarning(const QString &text, bool closable);
    QString plainText() const { return m_plain; }
    /// Something to do about it; stands behind the text of every message.
    void addButton(QPushButton *button);

Q_SIGNALS:
    void dismissed();

protected:
    void paintEvent(QPaintEvent *event) override;
    void resizeEvent(QResizeEvent *event) override;

private:
    void present(const QString &plain);

    QBoxLayout *m_layout;
    QBoxLayout *m_buttons;
    QLabel *m_text;
    QWidget *m_copy;
    QWidget *m_close;
    QString m_plain;
    bool m_isError = true;
};

} // namespace lens
