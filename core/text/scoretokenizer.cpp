#include "text/scoretokenizer.h"

#include <algorithm>
#include <queue>

namespace lens {

namespace {

constexpr TokenId none = -1;

// By the first byte alone, as the reference does: broken text then falls apart into bytes.
std::size_t characterLength(char first)
{
    const auto high = static_cast<unsigned char>(first) >> 4;
    return high < 12 ? 1 : (high < 14 ? 2 : static_cast<std::size_t>(high - 11));
}

struct Candidate {
    float score;
    int left, right;
    std::size_t size;  // of the merged text; tells whether the candidate is out of date
    TokenId id;

    bool operator<(const Candidate &other) const
    {
        return score != other.score ? score < other.score : left > other.left;
    }
};

} // namespace

struct ScoreTokenizer::Symbol {
    std::size_t begin, size;
    int previous, next;
    TokenId id;
};

ScoreTokenizer::ScoreTokenizer(TokenTable table, ScoreParts parts)
    : BasicTokenizer(std::move(table)), m_parts(std::move(parts))
{
    m_byteIds.fill(none);
    for (std::size_t i = 0; i < size(); ++i) {
        const std::string &text = pieceAt(static_cast<TokenId>(i));
        const ScoreParts::Type type = m_parts.types[i];
        if (type == ScoreParts::Type::Byte) {
            if (const auto byte = byteOfPiece(text))
                m_byteIds[*byte] = static_cast<TokenId>(i);
        } else if (type == ScoreParts::Type::Normal || type == ScoreParts::Type::UserDefined) {
            // A control token is never merged together: text that merely spells one stays text.
            m_mergeable.insert_or_assign(text, static_cast<TokenId>(i));
            m_longestPiece = std::max(m_longestPiece, text.size());
        }
    }
}

std::optional<TokenId> ScoreTokenizer::find(std::string_view piece) const
{
    if (piece.size() > m_longestPiece)
        return std::nullopt;
    const auto found = m_mergeable.find(piece);
    return found == m_mergeable.end() ? std::nullopt : std::optional(found->second);
}

std::string ScoreTokenizer::bytes(TokenId id, bool skipSpecial) const
{
    if (!inRange(id) || (skipSpecial && isSpecial(id)))
        return {};
    switch (m_parts.types[static_cast<std::size_t>(id)]) {
    case ScoreParts::Type::Control:
    case ScoreParts::Type::Unknown: return pieceAt(id);
    case ScoreParts::Type::Byte:
        if (const auto byte = byteOfPiece(pieceAt(id)))
            return std::string(1, static_cast<char>(*byte));
        break;
    default: break;
    }
    return withSpaces(pieceAt(id));
}

DecodeStyle ScoreTokenizer::decodeStyle() const
{
    using LeadingSpace = DecodeStyle::LeadingSpace;
    return {m_parts.addSpacePrefix ? LeadingSpace::DropOne : LeadingSpace::Keep, BrokenBytes::EachByte, true};
}

Result<void> ScoreTokenizer::encodeBody(std::string_view text, std::span<const ByteRange> control,
                                        std::vector<TokenId> &ids) const
{
    bool afterSpecial = true;
    for (const Fragment &fragment : m_parts.matcher.split(text, control)) {
        if (fragment.token) {
            ids.push_back(fragment.token->id);
            afterSpecial = true;
            continue;
        }
        std::string escaped;
        if (m_parts.addSpacePrefix && afterSpecial)
            escaped += "\u2581";
        for (const char c : text.substr(fragment.range.begin, fragment.range.end - fragment.range.begin)) {
            if (c == ' ')
                escaped += "\u2581";
            else
                escaped += c;
        }
        merge(escaped, ids);
        afterSpecial = false;
    }
    return {};
}

void ScoreTokenizer::merge(std::string_view text, std::vector<TokenId> &ids) const
{
    std::vector<Symbol> symbols;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = std::min(characterLength(text[at]), text.size() - at);
        const int index = static_cast<int>(symbols.size());
        symbols.push_back({at, length, index - 1, index + 1, find(text.substr(at, length)).value_or(none)});
        at += length;
    }
    if (symbols.empty())
        return;
    symbols.back().next = -1;

    const auto symbol = [&symbols](int i) -> Symbol & { return symbols[static_cast<std::size_t>(i)]; };
    std::priority_queue<Candidate> queue;
    const auto consider = [&](int left, int right) {
        if (left < 0 || right < 0)
            return;
        const std::size_t size = symbol(left).size + symbol(right).size;
        if (const auto id = find(text.substr(symbol(left).begin, size)))
            queue.push({m_parts.scores[static_cast<std::size_t>(*id)], left, right, size, *id});
    };
    for (int i = 1; i < static_cast<int>(symbols.size()); ++i)
        consider(i - 1, i);
    while (!queue.empty()) {
        const Candidate best = queue.top();
        queue.pop();
        Symbol &left = symbol(best.left);
        Symbol &right = symbol(best.right);
        if (left.size == 0 || right.size == 0 || left.size + right.size != best.size)
            continue;
        left.size = best.size;
        left.id = best.id;
        left.next = right.next;
        right.size = 0;
        if (left.next >= 0)
            symbol(left.next).previous = best.left;
        consider(left.previous, best.left);
        consider(best.left, left.next);
    }
    for (int i = 0; i >= 0; i = symbol(i).next) {
        if (symbol(i).id >= 0)
            ids.push_back(symbol(i).id);
        else
            appendLeftover(text.substr(symbol(i).begin, symbol(i).size), ids);
    }
}

void ScoreTokenizer::appendLeftover(std::string_view character, std::vector<TokenId> &ids) const
{
    const bool hasBytes = std::all_of(character.begin(), character.end(), [this](char c) {
        return m_byteIds[static_cast<unsigned char>(c)] != none;
    });
    if (hasBytes) {
        for (const char c : character)
            ids.push_back(m_byteIds[static_cast<unsigned char>(c)]);
    } else if (special().unknown) {
        ids.push_back(*special().unknown);
    }
}

} // namespace lens
