#include "compare/promptbox.h"

#include "widgets/elidedcombo.h"
#include "widgets/iconbutton.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLocale>
#include <QMimeData>
#include <QPushButton>
#include <QStyle>
#include <QTextBlock>
#include <QVBoxLayout>

#include <algorithm>

namespace lens {
namespace {

constexpr int maxLines = 8;

} // namespace

PromptEdit::PromptEdit(QWidget *parent) : QPlainTextEdit(parent)
{
    setProperty("plain", true);
    setFrameShape(QFrame::NoFrame);
    setTabChangesFocus(true);
    setPlaceholderText(tr("Ask all columns…"));
    setAccessibleName(tr("Prompt"));
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    document()->setDocumentMargin(4);
    connect(this, &QPlainTextEdit::textChanged, this, &PromptEdit::adjustHeight);
    adjustHeight();
}

QSize PromptEdit::sizeHint() const
{
    return QSize(200, height());
}

void PromptEdit::adjustHeight()
{
    int lines = 0;
    for (QTextBlock block = document()->begin(); block.isValid() && lines < maxLines; block = block.next())
        lines += std::max(1, block.lineCount());
    const int height = std::clamp(lines, 2, maxLines) * fontMetrics().lineSpacing() + 12;
    if (height != minimumHeight() || height != maximumHeight())
        setFixedHeight(height);
}

void PromptEdit::keyPressEvent(QKeyEvent *event)
{
    const bool enter = event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter;
    if (enter && !(event->modifiers() & Qt::ShiftModifier)) {
        Q_EMIT sendRequested();
        return;
    }
    if (event->key() == Qt::Key_Escape) {
        Q_EMIT cancelRequested();
        return;
    }
    QPlainTextEdit::keyPressEvent(event);
}

bool PromptEdit::canInsertFromMimeData(const QMimeData *source) const
{
    return source->hasText() && !source->hasUrls();
}

void PromptEdit::insertFromMimeData(const QMimeData *source)
{
    if (!source->hasText() || source->hasUrls())
        return;
    const QString text = source->text();
    if (text.size() > attachmentLength)
        Q_EMIT longTextPasted(text);
    else
        insertPlainText(text);
}

PromptBox::PromptBox(QWidget *parent)
    : QFrame(parent), m_edit(new PromptEdit), m_target(new ElidedCombo), m_send(new QPushButton), m_note(new QLabel),
      m_attachmentLabel(new QLabel),
      m_dropAttachment(new IconButton(QStringLiteral("close"), tr("Remove the pasted text")))
{
    setProperty("card", true);
    m_note->setProperty("muted", true);
    m_note->hide();
    m_target->setAccessibleName(tr("Columns to ask"));
    m_target->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_target->setMinimumContentsLength(10);
    auto *attachment = new QHBoxLayout;
    attachment->addWidget(m_attachmentLabel);
    attachment->addWidget(m_dropAttachment);
    attachment->addStretch();
    auto *side = new QVBoxLayout;
    side->setSpacing(4);
    side->addWidget(m_send);
    side->addWidget(m_target);
    side->addStretch();
    auto *row = new QHBoxLayout;
    row->addWidget(m_edit, 1, Qt::AlignTop);
    row->addLayout(side);
    auto *layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->setSpacing(4);
    layout->addWidget(m_note);
    layout->addLayout(attachment);
    layout->addLayout(row);
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Maximum);
    m_edit->installEventFilter(this);
    connect(m_edit, &PromptEdit::sendRequested, this, &PromptBox::send);
    connect(m_edit, &QPlainTextEdit::textChanged, this, &PromptBox::updateButton);
    connect(m_edit, &PromptEdit::longTextPasted, this, [this](const QString &text) {
        m_attachment = text;
        updateAttachment();
    });
    connect(m_edit, &PromptEdit::cancelRequested, this, [this] {
        if (m_editing)
            Q_EMIT editingCancelled();
        else
            Q_EMIT stopRequested();
    });
    connect(m_dropAttachment, &QToolButton::clicked, this, [this] {
        m_attachment.clear();
        updateAttachment();
    });
    connect(m_send, &QPushButton::clicked, this, [this] {
        if (m_busy)
            Q_EMIT stopRequested();
        else
            send();
    });
    setColumns({});
    updateAttachment();
}

QString PromptBox::text() const
{
    const QString typed = m_edit->toPlainText();
    if (m_attachment.isEmpty())
        return typed;
    return typed.isEmpty() ? m_attachment : typed + QLatin1Char('\n') + m_attachment;
}

void PromptBox::setText(const QString &text)
{
    m_attachment.clear();
    if (text.size() > PromptEdit::attachmentLength) {
        m_attachment = text;
        m_edit->clear();
    } else {
        m_edit->setPlainText(text);
        m_edit->moveCursor(QTextCursor::End);
    }
    updateAttachment();
}

void PromptBox::clear()
{
    setText({});
}

void PromptBox::focusEditor()
{
    m_edit->setFocus(Qt::ShortcutFocusReason);
}

void PromptBox::setColumns(const QStringList &names)
{
    if (names == m_names && m_target->count() > 0)
        return;
    const int chosen = m_target->currentIndex();
    const bool same = m_names.size() == names.size();
    m_names = names;
    m_target->clear();
    m_target->addItem(tr("all columns"));
    for (qsizetype i = 0; i < names.size(); ++i)
        m_target->addItem(tr("only %1: %2").arg(i + 1).arg(names[i]));
    if (same && chosen > 0)
        m_target->setCurrentIndex(chosen);
}

int PromptBox::onlyColumn() const
{
    return m_target->currentIndex() - 1;
}

void PromptBox::setCanSend(bool canSend)
{
    m_canSend = canSend;
    updateButton();
}

void PromptBox::setBusy(bool busy)
{
    m_busy = busy;
    updateButton();
}

void PromptBox::setEditing(const QString &note)
{
    m_editing = !note.isEmpty();
    m_note->setText(note);
    m_note->setVisible(m_editing);
    m_target->setEnabled(!m_editing);
}

void PromptBox::send()
{
    const QString prompt = text();
    if (m_busy || !m_canSend || prompt.trimmed().isEmpty())
        return;
    Q_EMIT sendRequested(prompt, onlyColumn());
}

void PromptBox::updateAttachment()
{
    m_attachmentLabel->setText(tr("Pasted text, %1 characters").arg(QLocale().toString(m_attachment.size())));
    m_attachmentLabel->setVisible(!m_attachment.isEmpty());
    m_dropAttachment->setVisible(!m_attachment.isEmpty());
    updateButton();
}

void PromptBox::updateButton()
{
    const bool hasText = !m_attachment.isEmpty() || !m_edit->document()->isEmpty();
    m_send->setText(m_busy ? tr("Stop") : tr("Send"));
    m_send->setToolTip(m_busy ? tr("Stop all columns (Esc)") : tr("Send (Enter)"));
    m_send->setEnabled(m_busy || (m_canSend && hasText));
    if (m_send->property("primary").toBool() == m_busy || !m_send->property("primary").isValid()) {
        m_send->setProperty("primary", !m_busy);
        m_send->style()->unpolish(m_send);
        m_send->style()->polish(m_send);
    }
}

bool PromptBox::eventFilter(QObject *watched, QEvent *event)
{
    if (event->type() == QEvent::FocusIn || event->type() == QEvent::FocusOut) {
        setProperty("card", event->type() == QEvent::FocusIn ? QVariant(QStringLiteral("focused")) : QVariant(true));
        style()->unpolish(this);
        style()->polish(this);
    }
    return QFrame::eventFilter(watched, event);
}

} // namespace lens
