#include "text/specialmatcher.h"

#include "text/utf8.h"

#include <algorithm>
#include <unicode/uchar.h>

namespace lens {

namespace {

bool isWhite(char32_t c)
{
    return u_isUWhiteSpace(static_cast<UChar32>(c));
}

bool isWordCharacter(char32_t c)
{
    const auto mask = U_GET_GC_MASK(static_cast<UChar32>(c));
    return u_isUAlphabetic(static_cast<UChar32>(c)) || (mask & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0;
}

std::size_t previousStart(std::string_view text, std::size_t end)
{
    std::size_t at = end - 1;
    while (at > 0 && end - at < 4 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80)
        --at;
    return at;
}

std::size_t skipWhiteLeft(std::string_view text, std::size_t from, std::size_t limit)
{
    while (from > limit) {
        const std::size_t start = previousStart(text, from);
        if (start < limit || !isWhite(utf8At(text, start).codePoint))
            break;
        from = start;
    }
    return from;
}

std::size_t skipWhiteRight(std::string_view text, std::size_t from)
{
    while (from < text.size()) {
        const Utf8Char character = utf8At(text, from);
        if (!isWhite(character.codePoint))
            break;
        from += character.length;
    }
    return from;
}

bool standsAlone(std::string_view text, ByteRange range)
{
    const bool left = range.begin == 0 || !isWordCharacter(utf8At(text, previousStart(text, range.begin)).codePoint);
    const bool right = range.end == text.size() || !isWordCharacter(utf8At(text, range.end).codePoint);
    return left && right;
}

bool isAllowed(const AddedToken &token, std::size_t at, std::span<const ByteRange> allowed)
{
    if (!token.control)
        return true;
    const auto after = std::upper_bound(allowed.begin(), allowed.end(), at,
                                        [](std::size_t value, const ByteRange &range) { return value < range.begin; });
    return after != allowed.begin() && at + token.content.size() <= std::prev(after)->end;
}

} // namespace

SpecialMatcher::SpecialMatcher(std::vector<AddedToken> tokens, Order order)
    : m_tokens(std::move(tokens)), m_nodes(1), m_order(order)
{
    for (std::size_t i = 0; i < m_tokens.size(); ++i) {
        std::size_t node = 0;
        for (const char c : m_tokens[i].content) {
            const auto [edge, isNew] = m_nodes[node].next.try_emplace(c, m_nodes.size());
            node = edge->second;
            if (isNew)
                m_nodes.emplace_back();
        }
        m_nodes[node].token = static_cast<int>(i);
    }
}

std::vector<Fragment> SpecialMatcher::split(std::string_view text, std::span<const ByteRange> allowed) const
{
    if (text.empty())
        return {};
    if (m_tokens.empty())
        return {{{0, text.size()}, nullptr}};
    return m_order == Order::LeftmostLongest ? leftmostLongest(text, allowed) : longestFirst(text, allowed);
}

const AddedToken *SpecialMatcher::longestAt(std::string_view text, std::size_t at,
                                            std::span<const ByteRange> allowed) const
{
    const AddedToken *found = nullptr;
    std::size_t node = 0;
    for (std::size_t i = at; i < text.size(); ++i) {
        const auto edge = m_nodes[node].next.find(text[i]);
        if (edge == m_nodes[node].next.end())
            break;
        node = edge->second;
        if (const int token = m_nodes[node].token; token >= 0) {
            const AddedToken &candidate = m_tokens[static_cast<std::size_t>(token)];
            if (isAllowed(candidate, at, allowed))
                found = &candidate;
        }
    }
    return found;
}

std::vector<Fragment> SpecialMatcher::leftmostLongest(std::string_view text, std::span<const ByteRange> allowed) const
{
    std::vector<Fragment> fragments;
    std::size_t done = 0;
    for (std::size_t at = 0; at < text.size();) {
        const AddedToken *token = longestAt(text, at, allowed);
        if (!token) {
            ++at;
            continue;
        }
        ByteRange range{at, at + token->content.size()};
        at = range.end;
        if (token->singleWord && !standsAlone(text, range))
            continue;
        if (token->stripLeft)
            range.begin = skipWhiteLeft(text, range.begin, done);
        if (token->stripRight)
            range.end = at = skipWhiteRight(text, range.end);
        if (done < range.begin)
            fragments.push_back({{done, range.begin}, nullptr});
        fragments.push_back({range, token});
        done = range.end;
    }
    if (done < text.size())
        fragments.push_back({{done, text.size()}, nullptr});
    return fragments;
}

std::vector<const AddedToken *> SpecialMatcher::occurring(std::string_view text) const
{
    std::vector<bool> seen(m_tokens.size(), false);
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::size_t node = 0;
        for (std::size_t i = at; i < text.size(); ++i) {
            const auto edge = m_nodes[node].next.find(text[i]);
            if (edge == m_nodes[node].next.end())
                break;
            node = edge->second;
            if (m_nodes[node].token >= 0)
                seen[static_cast<std::size_t>(m_nodes[node].token)] = true;
        }
    }
    std::vector<const AddedToken *> tokens;
    for (std::size_t i = 0; i < m_tokens.size(); ++i) {
        if (seen[i])
            tokens.push_back(&m_tokens[i]);
    }
    std::stable_sort(tokens.begin(), tokens.end(), [](const AddedToken *a, const AddedToken *b) {
        return a->content.size() > b->content.size();
    });
    return tokens;
}

std::vector<Fragment> SpecialMatcher::longestFirst(std::string_view text, std::span<const ByteRange> allowed) const
{
    std::vector<Fragment> fragments{{{0, text.size()}, nullptr}};
    for (const AddedToken *token : occurring(text)) {
        std::vector<Fragment> next;
        for (const Fragment &fragment : fragments) {
            if (fragment.token) {
                next.push_back(fragment);
                continue;
            }
            const std::string_view inside = text.substr(0, fragment.range.end);
            std::size_t done = fragment.range.begin;
            for (std::size_t at = inside.find(token->content, done); at != std::string_view::npos;) {
                if (!isAllowed(*token, at, allowed)) {
                    at = inside.find(token->content, at + 1);
                    continue;
                }
                if (done < at)
                    next.push_back({{done, at}, nullptr});
                done = at + token->content.size();
                next.push_back({{at, done}, token});
                at = inside.find(token->content, done);
            }
            if (done < fragment.range.end)
                next.push_back({{done, fragment.range.end}, nullptr});
        }
        fragments = std::move(next);
    }
    return fragments;
}

std::vector<ByteRange> controlRanges(std::span<const TextSegment> segments)
{
    std::vector<ByteRange> ranges;
    std::size_t at = 0;
    for (const TextSegment &segment : segments) {
        if (segment.isControl && !segment.text.empty())
            ranges.push_back({at, at + segment.text.size()});
        at += segment.text.size();
    }
    return ranges;
}

} // namespace lens
