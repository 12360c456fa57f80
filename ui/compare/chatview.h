// A column's conversation on the screen: bubbles, tokens with shading, the first difference, and the selected token.
#pragma once

#include "compare/chatselection.h"

#include <QAbstractScrollArea>

#include <memory>

namespace lens {

class Column;
class IconButton;
class Selection;
class TokenPopup;

enum class Shading { None, Probability, Divergence };

class ChatView : public QAbstractScrollArea {
    Q_OBJECT

public:
    /// `column` and `selection` must outlive the view. `index` is the column's place, for the selection.
    ChatView(Column &column, Selection *selection, int index, QWidget *parent = nullptr);
    ~ChatView() override;

    void setIndex(int index) { m_index = index; }
    Shading shading() const { return m_shading; }
    void setShading(Shading shading);
    /// Shown while there is nothing else.
    void setPlaceholder(const QString &text);

    const ChatLayout &chatLayout() const { return m_layout; }
    /// What has been chosen with the mouse; empty when nothing is.
    QString selectedText() const;
    QSize minimumSizeHint() const override { return QSize(120, 80); }

Q_SIGNALS:
    void editRequested(std::size_t exchange);

protected:
    void paintEvent(QPaintEvent *event) override;
    void resizeEvent(QResizeEvent *event) override;
    void mouseMoveEvent(QMouseEvent *event) override;
    void mousePressEvent(QMouseEvent *event) override;
    void mouseReleaseEvent(QMouseEvent *event) override;
    void keyPressEvent(QKeyEvent *event) override;
    void contextMenuEvent(QContextMenuEvent *event) override;
    bool viewportEvent(QEvent *event) override;
    void focusOutEvent(QFocusEvent *event) override;
    void hideEvent(QHideEvent *event) override;
    void changeEvent(QEvent *event) override;

private:
    QPointF toContent(const QPointF &viewportPoint) const;
    void contentChanged(bool follow);
    bool isAtEnd() const;
    void updateCaption();
    void hover(const QPoint &point);
    void select(const TokenRef &token);
    void moveSelection(int step);
    void showPopup(const TokenRef &token);
    const ShownToken *token(const TokenRef &ref) const;
    std::optional<TokenRef> selectedToken() const;
    void revealSelection();
    void extendSelection(const QPointF &viewportPoint);
    void click(const QPointF &content);
    void copy() const;
    void selectAll();

    Column &m_column;
    Selection *m_selection;
    int m_index;
    ChatLayout m_layout;
    Shading m_shading = Shading::Probability;
    QString m_placeholder;
    std::optional<TokenRef> m_hovered;
    std::optional<std::size_t> m_hoveredPrompt;
    std::optional<ChatSelection> m_chosenText;
    std::optional<QPointF> m_pressed; ///< in the content, while the left button is down
    bool m_dragging = false;
    std::unique_ptr<TokenPopup> m_popup;
    IconButton *m_edit;
};

} // namespace lens
