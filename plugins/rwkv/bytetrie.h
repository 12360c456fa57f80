// Finds the longest of many byte strings at a place in a text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace lens::rwkv {

class ByteTrie {
public:
    using Entry = std::pair<std::string_view, std::int32_t>;

    struct Match {
        std::int32_t value = 0;
        std::size_t length = 0;
    };

    ByteTrie() = default;

    /// The strings are different and not empty; they need not outlive the call.
    explicit ByteTrie(std::vector<Entry> entries);

    std::optional<Match> longestAt(std::string_view text, std::size_t at) const;

private:
    /// The children of a node lie side by side, ordered by the byte that leads to them.
    struct Node {
        std::uint32_t firstChild = 0;
        std::int32_t value = -1;
        std::uint16_t children = 0;
        std::uint8_t byte = 0;
    };

    const Node *childOf(const Node &node, std::uint8_t byte) const;

    std::vector<Node> m_nodes;
};

} // namespace lens::rwkv
