#include "bridge/conversation.h"

#include <algorithm>

namespace lens {
namespace {

QString joined(const std::vector<ShownToken> &tokens)
{
    QString text;
    for (const ShownToken &token : tokens)
        text += token.text;
    return text;
}

/// The token that holds character `character` of the joined text.
qsizetype tokenAt(const std::vector<ShownToken> &tokens, qsizetype character)
{
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        character -= tokens[i].text.size();
        if (character < 0)
            return qsizetype(i);
    }
    return -1;
}

} // namespace

std::vector<ChatMessage> messagesOf(const std::vector<Exchange> &exchanges, const QString &systemPrompt)
{
    std::vector<ChatMessage> messages;
    if (!systemPrompt.isEmpty())
        messages.push_back({Role::System, systemPrompt.toStdString()});
    for (std::size_t i = 0; i < exchanges.size(); ++i) {
        messages.push_back({Role::User, exchanges[i].prompt.toStdString()});
        if (i + 1 < exchanges.size())
            messages.push_back({Role::Assistant, exchanges[i].answer.text.toStdString()});
    }
    return messages;
}

QString spelling(const ShownToken &token)
{
    if (!token.text.isEmpty())
        return token.text;
    for (const TokenAlternative &alternative : token.alternatives) {
        if (alternative.id == token.id && !alternative.text.empty())
            return QString::fromStdString(alternative.text);
    }
    return QStringLiteral("#%1").arg(token.id);
}

std::pair<qsizetype, qsizetype> firstDifference(const std::vector<ShownToken> &first,
                                                const std::vector<ShownToken> &second, bool sameVocabulary)
{
    if (sameVocabulary) {
        const auto [a, b] = std::mismatch(first.begin(), first.end(), second.begin(), second.end(),
                                          [](const auto &x, const auto &y) { return x.id == y.id; });
        if (a == first.end() || b == second.end())
            return {-1, -1};
        return {a - first.begin(), b - second.begin()};
    }
    const QString a = joined(first), b = joined(second);
    const auto [x, y] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    if (x == a.end() || y == b.end())
        return {-1, -1};
    return {tokenAt(first, x - a.begin()), tokenAt(second, y - b.begin())};
}

} // namespace lens
