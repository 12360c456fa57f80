#include "bytetrie.h"

#include <algorithm>

namespace lens::rwkv {

ByteTrie::ByteTrie(std::vector<Entry> entries)
{
    std::ranges::sort(entries);
    struct Range {
        std::size_t begin, end, depth;
    };
    // One range of entries a node, all of which begin with the bytes that lead there. Breadth first, so that children
    // of one node are neighbours.
    std::vector<Range> ranges{{0, entries.size(), 0}};
    m_nodes.emplace_back();
    for (std::size_t node = 0; node < m_nodes.size(); ++node) {
        auto [begin, end, depth] = ranges[node];
        if (begin < end && entries[begin].first.size() == depth)
            m_nodes[node].value = entries[begin++].second;
        m_nodes[node].firstChild = static_cast<std::uint32_t>(m_nodes.size());
        while (begin < end) {
            const char byte = entries[begin].first[depth];
            std::size_t next = begin;
            while (next < end && entries[next].first[depth] == byte)
                ++next;
            m_nodes.push_back({0, -1, 0, static_cast<std::uint8_t>(byte)});
            ++m_nodes[node].children;
            ranges.push_back({begin, next, depth + 1});
            begin = next;
        }
    }
}

const ByteTrie::Node *ByteTrie::childOf(const Node &node, std::uint8_t byte) const
{
    const Node *first = m_nodes.data() + node.firstChild, *last = first + node.children;
    if (node.children == 256)
        return first + byte;
    const Node *found = std::lower_bound(first, last, byte, [](const Node &child, std::uint8_t b) { return child.byte < b; });
    return found != last && found->byte == byte ? found : nullptr;
}

std::optional<ByteTrie::Match> ByteTrie::longestAt(std::string_view text, std::size_t at) const
{
    std::optional<Match> longest;
    const Node *node = m_nodes.empty() ? nullptr : m_nodes.data();
    for (std::size_t end = at; node && end < text.size();) {
        node = childOf(*node, static_cast<std::uint8_t>(text[end++]));
        if (node && node->value >= 0)
            longest = Match{node->value, end - at};
    }
    return longest;
}

} // namespace lens::rwkv
