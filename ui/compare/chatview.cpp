#include "compare/chatview.h"

#include "bridge/column.h"
#include "bridge/format.h"
#include "bridge/selection.h"
#include "compare/chatpainter.h"
#include "compare/tokenpopup.h"
#include "widgets/iconbutton.h"

#include <QApplication>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QGuiApplication>
#include <QMenu>
#include <QPainter>
#include <QScrollBar>

#include <algorithm>

namespace lens {
namespace {

QString endOf(StopReason reason, const QString &count)
{
    switch (reason) {
    case StopReason::Cancelled: return ChatView::tr("stopped after %1").arg(count);
    case StopReason::MaxTokens: return ChatView::tr("token limit reached, %1; Continue goes on").arg(count);
    case StopReason::ContextFull: return ChatView::tr("the context is full, %1").arg(count);
    case StopReason::EndOfText: return ChatView::tr("end of text after %1").arg(count);
    case StopReason::StopString: return ChatView::tr("stop string after %1").arg(count);
    }
    return {};
}

} // namespace

ChatView::ChatView(Column &column, Selection *selection, int index, QWidget *parent)
    : QAbstractScrollArea(parent), m_column(column), m_selection(selection), m_index(index), m_layout(font()),
      m_popup(std::make_unique<TokenPopup>(this)),
      m_edit(new IconButton(QStringLiteral("edit"), tr("Edit this prompt and ask again"), viewport()))
{
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Conversation"));
    viewport()->setMouseTracking(true);
    m_edit->hide();
    m_edit->setFocusPolicy(Qt::NoFocus);
    connect(m_edit, &QToolButton::clicked, this, [this] {
        if (m_hoveredPrompt)
            Q_EMIT editRequested(*m_hoveredPrompt);
    });
    connect(&column, &Column::exchangesReset, this, [this] {
        m_hovered.reset();
        m_popup->hide();
        m_edit->hide();
        m_chosenText.reset();
        m_pressed.reset();
        m_layout.rebuild(m_column.exchanges());
        contentChanged(true);
    });
    connect(&column, &Column::exchangeAppended, this, [this] {
        m_layout.appendExchange(m_column.exchanges());
        contentChanged(true);
    });
    connect(&column, &Column::tokensAppended, this, [this](qsizetype first) {
        const bool follow = isAtEnd();
        m_layout.appendTokens(m_column.exchanges(), first);
        contentChanged(follow);
    });
    connect(&column, &Column::answerChanged, this, [this] { contentChanged(isAtEnd()); });
    connect(&column, &Column::activityChanged, this, [this] { contentChanged(isAtEnd()); });
    connect(selection, &Selection::changed, this, [this] {
        viewport()->update();
        revealSelection();
    });
    m_layout.rebuild(m_column.exchanges());
}

ChatView::~ChatView() = default;

void ChatView::setShading(Shading shading)
{
    m_shading = shading;
    viewport()->update();
}

void ChatView::setPlaceholder(const QString &text)
{
    m_placeholder = text;
    viewport()->update();
}

bool ChatView::isAtEnd() const
{
    return verticalScrollBar()->value() >= verticalScrollBar()->maximum() - int(m_layout.lineHeight());
}

void ChatView::contentChanged(bool follow)
{
    updateCaption();
    verticalScrollBar()->setPageStep(viewport()->height());
    verticalScrollBar()->setSingleStep(int(m_layout.lineHeight()));
    verticalScrollBar()->setRange(0, std::max(0, int(m_layout.height()) - viewport()->height()));
    if (follow)
        verticalScrollBar()->setValue(verticalScrollBar()->maximum());
    viewport()->update();
}

void ChatView::updateCaption()
{
    const Exchange *last = m_column.last();
    if (!last)
        return;
    QString caption;
    switch (m_column.activity()) {
    case Column::Activity::Saving: caption = tr("saving the prompt…"); break;
    case Column::Activity::Reading:
        caption = m_column.readingProgress() > 0
                      ? tr("reading the prompt, %1").arg(formatPercent(m_column.readingProgress()))
                      : tr("reading the prompt…");
        break;
    case Column::Activity::Generating: break;
    case Column::Activity::Idle:
        if (last->answer.interrupted)
            caption = tr("interrupted: the program ended here; Continue goes on");
        else if (last->answer.reason)
            caption = endOf(*last->answer.reason, tokenCount(qint64(last->answer.tokens.size())));
        setAccessibleDescription(last->answer.text.left(4000));
        break;
    }
    m_layout.setCaption(caption);
}

QPointF ChatView::toContent(const QPointF &viewportPoint) const
{
    return viewportPoint + QPointF(0, verticalScrollBar()->value());
}

void ChatView::paintEvent(QPaintEvent *event)
{
    QPainter painter(viewport());
    const Colours colours(palette());
    painter.fillRect(event->rect(), colours.surface);
    if (m_layout.blocks().empty()) {
        painter.setPen(colours.muted);
        QTextOption option(Qt::AlignCenter);
        option.setWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
        painter.drawText(QRectF(viewport()->rect()).adjusted(16, 24, -16, -24), m_placeholder, option);
        return;
    }
    ChatPaintState state{m_column.exchanges(), colours, m_shading, selectedToken(), m_hovered, {}, m_chosenText};
    if (m_column.differenceIndex() >= 0 && m_column.last())
        state.difference = TokenRef{m_column.exchanges().size() - 1, m_column.differenceIndex()};
    painter.translate(0, -verticalScrollBar()->value());
    paintChat(painter, m_layout, state, QRectF(event->rect()).translated(0, verticalScrollBar()->value()));
}

void ChatView::resizeEvent(QResizeEvent *)
{
    const bool follow = isAtEnd();
    m_layout.setWidth(viewport()->width());
    contentChanged(follow);
}

void ChatView::changeEvent(QEvent *event)
{
    if (event->type() == QEvent::FontChange) {
        m_layout.setFont(font());
        contentChanged(isAtEnd());
    }
    QAbstractScrollArea::changeEvent(event);
}

const ShownToken *ChatView::token(const TokenRef &ref) const
{
    if (ref.exchange >= m_column.exchanges().size())
        return nullptr;
    const auto &tokens = m_column.exchanges()[ref.exchange].answer.tokens;
    return ref.token >= 0 && std::size_t(ref.token) < tokens.size() ? &tokens[std::size_t(ref.token)] : nullptr;
}

std::optional<TokenRef> ChatView::selectedToken() const
{
    if (m_selection->token() == Selection::None)
        return {};
    const auto &exchanges = m_column.exchanges();
    for (std::size_t i = exchanges.size(); i-- > 0;) {
        const auto &tokens = exchanges[i].answer.tokens;
        if (tokens.empty() || m_selection->token() < tokens.front().position)
            continue;
        const auto offset = m_selection->token() - tokens.front().position;
        if (std::size_t(offset) < tokens.size())
            return TokenRef{i, qsizetype(offset)};
        return {};
    }
    return {};
}

void ChatView::revealSelection()
{
    const auto selected = selectedToken();
    if (!selected || m_column.isBusy())
        return;
    const auto rects = m_layout.rectsOf(*selected);
    if (rects.empty())
        return;
    const int top = int(rects.front().top()), bottom = int(rects.back().bottom());
    QScrollBar *bar = verticalScrollBar();
    if (top < bar->value())
        bar->setValue(top - 12);
    else if (bottom > bar->value() + viewport()->height())
        bar->setValue(bottom - viewport()->height() + 12);
}

void ChatView::hover(const QPoint &point)
{
    const QPointF content = toContent(point);
    const ChatLayout::Block *prompt = m_layout.promptAt(content);
    m_edit->setVisible(prompt && !m_column.isBusy());
    if (prompt) {
        m_hoveredPrompt = prompt->exchange;
        const QRectF bubble = prompt->rect.translated(0, -verticalScrollBar()->value());
        m_edit->adjustSize();
        m_edit->move(std::max(2, int(bubble.left()) - m_edit->width() - 2), int(bubble.top()));
    }
    const auto token = m_layout.tokenAt(content);
    if (token == m_hovered)
        return;
    m_hovered = token;
    viewport()->setCursor(token || (prompt && prompt->hiddenCharacters > 0) ? Qt::PointingHandCursor : Qt::ArrowCursor);
    viewport()->update();
    if (token)
        showPopup(*token);
    else
        m_popup->hide();
}

void ChatView::showPopup(const TokenRef &ref)
{
    const ShownToken *shown = token(ref);
    const auto rects = m_layout.rectsOf(ref);
    if (!shown || rects.empty())
        return;
    const QRect local = rects.front().translated(0, -verticalScrollBar()->value()).toAlignedRect();
    m_popup->showFor(*shown, QRect(viewport()->mapToGlobal(local.topLeft()), local.size()));
}

void ChatView::mouseMoveEvent(QMouseEvent *event)
{
    if (!m_pressed) {
        hover(event->position().toPoint());
        return;
    }
    const QPointF moved = toContent(event->position()) - *m_pressed;
    if (!m_dragging && moved.manhattanLength() < QApplication::startDragDistance())
        return;
    if (!m_dragging) {
        m_popup->hide();
        viewport()->setCursor(Qt::IBeamCursor);
    }
    m_dragging = true;
    extendSelection(event->position());
}

void ChatView::extendSelection(const QPointF &viewportPoint)
{
    if (viewportPoint.y() < 0 || viewportPoint.y() > viewport()->height()) {
        const int step = verticalScrollBar()->singleStep();
        verticalScrollBar()->setValue(verticalScrollBar()->value() + (viewportPoint.y() < 0 ? -step : step));
    }
    const auto anchor = placeAt(m_layout, *m_pressed), caret = placeAt(m_layout, toContent(viewportPoint));
    m_chosenText.reset();
    if (anchor && caret && anchor != caret)
        m_chosenText = ChatSelection{*anchor, *caret};
    viewport()->update();
}

QString ChatView::selectedText() const
{
    return m_chosenText ? lens::selectedText(m_layout, *m_chosenText) : QString();
}

void ChatView::selectAll()
{
    m_chosenText = everything(m_layout);
    viewport()->update();
}

void ChatView::copy() const
{
    const QString chosen = selectedText();
    if (!chosen.isEmpty())
        QGuiApplication::clipboard()->setText(chosen);
    else if (m_column.last())
        QGuiApplication::clipboard()->setText(m_column.last()->answer.text);
}

void ChatView::mousePressEvent(QMouseEvent *event)
{
    if (event->button() != Qt::LeftButton)
        return;
    m_pressed = toContent(event->position());
    m_dragging = false;
    m_chosenText.reset();
    viewport()->update();
}

void ChatView::mouseReleaseEvent(QMouseEvent *event)
{
    if (event->button() != Qt::LeftButton || !m_pressed)
        return;
    const QPointF pressed = *m_pressed;
    const bool dragged = m_dragging;
    m_pressed.reset();
    m_dragging = false;
    if (!dragged) {
        click(pressed);
        return;
    }
    viewport()->setCursor(Qt::ArrowCursor);
    const QString chosen = selectedText();
    if (QGuiApplication::clipboard()->supportsSelection() && !chosen.isEmpty())
        QGuiApplication::clipboard()->setText(chosen, QClipboard::Selection);
}

void ChatView::click(const QPointF &content)
{
    if (const auto token = m_layout.tokenAt(content)) {
        select(*token);
        return;
    }
    const ChatLayout::Block *prompt = m_layout.promptAt(content);
    if (prompt && prompt->hiddenCharacters > 0) {
        m_layout.unfold(m_column.exchanges(), prompt->exchange);
        contentChanged(false);
    } else if (!prompt) {
        m_selection->clearToken();
    }
}

void ChatView::select(const TokenRef &ref)
{
    if (const ShownToken *chosen = token(ref)) {
        m_selection->setColumn(m_index);
        m_selection->setToken(chosen->position);
    }
}

void ChatView::moveSelection(int step)
{
    const Exchange *last = m_column.last();
    if (!last || last->answer.tokens.empty())
        return;
    const auto selected = selectedToken();
    TokenRef next{m_column.exchanges().size() - 1, 0};
    if (selected)
        next = {selected->exchange, std::max<qsizetype>(0, selected->token + step)};
    if (token(next))
        select(next);
}

void ChatView::keyPressEvent(QKeyEvent *event)
{
    if (event->key() == Qt::Key_Left || event->key() == Qt::Key_Right) {
        moveSelection(event->key() == Qt::Key_Left ? -1 : 1);
    } else if (event->matches(QKeySequence::Copy)) {
        copy();
    } else if (event->matches(QKeySequence::SelectAll)) {
        selectAll();
    } else if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Space) {
        if (const auto selected = selectedToken())
            showPopup(*selected);
    } else if (event->key() == Qt::Key_Escape && m_popup->isVisible()) {
        m_popup->hide();
    } else {
        QAbstractScrollArea::keyPressEvent(event);
    }
}

void ChatView::contextMenuEvent(QContextMenuEvent *event)
{
    const QPointF content = toContent(viewport()->mapFromGlobal(event->globalPos()));
    const ChatLayout::Block *prompt = m_layout.promptAt(content);
    QMenu menu(this);
    const auto copy = [&menu](const QString &label, const QString &text) {
        menu.addAction(label, [text] { QGuiApplication::clipboard()->setText(text); })->setEnabled(!text.isEmpty());
    };
    copy(tr("Copy selected text"), selectedText());
    menu.addAction(tr("Select all"), this, &ChatView::selectAll)->setEnabled(!m_layout.blocks().empty());
    menu.addSeparator();
    if (prompt) {
        const std::size_t exchange = prompt->exchange;
        menu.addAction(tr("Edit and ask again"), this, [this, exchange] { Q_EMIT editRequested(exchange); })
            ->setEnabled(!m_column.isBusy());
        copy(tr("Copy prompt"), m_column.exchanges()[exchange].prompt);
    }
    if (m_column.last())
        copy(tr("Copy answer"), m_column.last()->answer.text);
    QString all;
    for (const Exchange &exchange : m_column.exchanges())
        all += QStringLiteral("> %1\n\n%2\n\n").arg(exchange.prompt, exchange.answer.text);
    copy(tr("Copy conversation"), all);
    m_popup->hide();
    menu.exec(event->globalPos());
}

void ChatView::focusOutEvent(QFocusEvent *event)
{
    m_popup->hide();
    QAbstractScrollArea::focusOutEvent(event);
}

void ChatView::hideEvent(QHideEvent *event)
{
    m_popup->hide();
    QAbstractScrollArea::hideEvent(event);
}

bool ChatView::viewportEvent(QEvent *event)
{
    if (event->type() == QEvent::Leave) {
        m_hovered.reset();
        m_popup->hide();
        if (!m_edit->geometry().contains(viewport()->mapFromGlobal(QCursor::pos())))
            m_edit->hide();
        viewport()->update();
    } else if (event->type() == QEvent::Wheel) {
        m_popup->hide();
    }
    return QAbstractScrollArea::viewportEvent(event);
}

} // namespace lens
