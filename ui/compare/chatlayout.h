// Where everything of a conversation is: bubbles, lines, tokens. No painting and no widget, so that it can be tested.
// Text is cut into paragraphs of bounded length; appending tokens lays out the last paragraph only.
#pragma once

#include "bridge/conversation.h"

#include <QFont>
#include <QRectF>
#include <QTextLayout>

#include <memory>
#include <optional>
#include <vector>

namespace lens {

struct TokenRef {
    std::size_t exchange = 0;
    qsizetype token = 0;

    bool operator==(const TokenRef &) const = default;
};

class ChatLayout {
public:
    struct Span {
        qsizetype token = 0;
        int start = 0;
        int length = 0;
    };

    struct Paragraph {
        std::unique_ptr<QTextLayout> layout;
        QString text;
        std::vector<Span> spans; ///< of answers
        qreal top = 0;           ///< inside the block
        qreal height = 0;
        qreal width = 0; ///< of its longest line
        bool breaksLine = false; ///< a line break of the text follows
    };

    struct Block {
        bool isPrompt = false;
        std::size_t exchange = 0;
        std::vector<Paragraph> paragraphs;
        qsizetype hiddenCharacters = 0; ///< of a long prompt that is not unfolded
        QString caption;                ///< a line of small print below
        QRectF rect;                    ///< prompts: the bubble; answers: the text
        QRectF captionRect;
    };

    explicit ChatLayout(const QFont &font);

    void setFont(const QFont &font);
    void setWidth(qreal width);
    qreal width() const { return m_width; }
    qreal height() const { return m_height; }
    const std::vector<Block> &blocks() const { return m_blocks; }
    const QFont &font() const { return m_font; }
    QFont captionFont() const;
    qreal lineHeight() const;

    void rebuild(const std::vector<Exchange> &exchanges);
    void appendExchange(const std::vector<Exchange> &exchanges);
    void appendTokens(const std::vector<Exchange> &exchanges, qsizetype firstToken);
    /// Of the last answer.
    void setCaption(const QString &caption);
    /// Shows a long prompt in full.
    void unfold(const std::vector<Exchange> &exchanges, std::size_t exchange);

    std::optional<TokenRef> tokenAt(const QPointF &point) const;
    /// One rectangle per line the token touches.
    std::vector<QRectF> rectsOf(const TokenRef &token) const;
    const Block *promptAt(const QPointF &point) const;

    /// Area of a span within one line, in the paragraph's coordinates; empty when it does not touch the line.
    QRectF spanInLine(const QTextLine &line, const Span &span) const;
    QPointF originOf(const Block &block, const Paragraph &paragraph) const;

    /// Stands at the end of an answer's line, where the token with the line break is.
    static constexpr QChar returnSign{0x21b5};
    static constexpr qreal margin = 12;
    static constexpr qreal bubblePadding = 9;
    static constexpr int paragraphLimit = 2000; ///< characters
    static constexpr int promptLimit = 1500;    ///< characters shown of a prompt that is longer by half

private:
    void addPrompt(const Exchange &exchange, std::size_t index, bool folded);
    void addAnswer(const Exchange &exchange, std::size_t index);
    void addText(Block &block, const QString &text);
    void addToken(Block &block, qsizetype index, const QString &text);
    void layOut(Paragraph &paragraph, qreal width) const;
    void layOutBlock(Block &block, std::size_t firstParagraph = 0);
    void place(std::size_t firstBlock = 0);

    QFont m_font;
    qreal m_width = 300;
    qreal m_height = 0;
    std::vector<Block> m_blocks;
};

} // namespace lens
