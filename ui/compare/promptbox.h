// Where prompts are typed. Enter sends, Shift+Enter breaks the line. A very long paste becomes an attachment, since no
// text editor stays quick with a megabyte on one line.
#pragma once

#include <QFrame>
#include <QPlainTextEdit>

class QComboBox;
class QLabel;
class QPushButton;

namespace lens {

class IconButton;

class PromptEdit : public QPlainTextEdit {
    Q_OBJECT

public:
    static constexpr qsizetype attachmentLength = 20000; ///< characters

    explicit PromptEdit(QWidget *parent = nullptr);
    QSize sizeHint() const override;

Q_SIGNALS:
    void sendRequested();
    void cancelRequested();
    void longTextPasted(const QString &text);

protected:
    void keyPressEvent(QKeyEvent *event) override;
    void insertFromMimeData(const QMimeData *source) override;
    bool canInsertFromMimeData(const QMimeData *source) const override;

private:
    void adjustHeight();
};

class PromptBox : public QFrame {
    Q_OBJECT

public:
    explicit PromptBox(QWidget *parent = nullptr);

    QString text() const;
    void setText(const QString &text);
    void clear();
    void focusEditor();

    /// Names of the columns, for the choice whom to ask.
    void setColumns(const QStringList &names);
    /// -1: all that take part.
    int onlyColumn() const;

    void setCanSend(bool canSend);
    void setBusy(bool busy);
    /// While a prompt is being edited: what is shown about it. Empty ends it.
    void setEditing(const QString &note);
    bool isEditing() const { return m_editing; }

Q_SIGNALS:
    void sendRequested(const QString &prompt, int onlyColumn);
    void stopRequested();
    void editingCancelled();

protected:
    bool eventFilter(QObject *watched, QEvent *event) override;

private:
    void send();
    void updateAttachment();
    void updateButton();

    PromptEdit *m_edit;
    QComboBox *m_target;
    QPushButton *m_send;
    QLabel *m_note;
    QLabel *m_attachmentLabel;
    IconButton *m_dropAttachment;
    QString m_attachment;
    QStringList m_names;
    bool m_canSend = false;
    bool m_busy = false;
    bool m_editing = false;
};

} // namespace lens
