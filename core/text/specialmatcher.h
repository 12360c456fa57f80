// Finds added tokens in a text and cuts it at them.
#pragma once

#include "text/tokenizer.h"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lens {

struct AddedToken {
    std::string content;  ///< not empty
    TokenId id = 0;
    bool control = false;     ///< recognised only where the caller allows it
    bool normalized = false;  ///< looked for after normalisation rather than before
    bool stripLeft = false;   ///< swallows the white space before it
    bool stripRight = false;
    bool singleWord = false;  ///< only where no letter, digit or underscore touches it
};

/// Half-open range of bytes.
struct ByteRange {
    std::size_t begin = 0, end = 0;
};

struct Fragment {
    ByteRange range;
    const AddedToken *token = nullptr;  ///< null: ordinary text; owned by the matcher
};

class SpecialMatcher {
public:
    enum class Order {
        LeftmostLongest,  ///< Hugging Face: from the left, the longest that fits
        LongestFirst,     ///< llama.cpp: all places of the longest token, then of the next
    };

    SpecialMatcher() = default;
    SpecialMatcher(std::vector<AddedToken> tokens, Order order);

    /// Covers `text` in order, empty fragments left out. Control tokens count only inside one of `allowed`, which is
    /// sorted and does not overlap.
    std::vector<Fragment> split(std::string_view text, std::span<const ByteRange> allowed) const;

    bool empty() const { return m_tokens.empty(); }

private:
    struct Node {
        std::map<char, std::size_t> next;
        int token = -1;
    };

    const AddedToken *longestAt(std::string_view text, std::size_t at, std::span<const ByteRange> allowed) const;
    std::vector<Fragment> leftmostLongest(std::string_view text, std::span<const ByteRange> allowed) const;
    std::vector<Fragment> longestFirst(std::string_view text, std::span<const ByteRange> allowed) const;
    std::vector<const AddedToken *> occurring(std::string_view text) const;

    std::vector<AddedToken> m_tokens;
    std::vector<Node> m_nodes;
    Order m_order = Order::LeftmostLongest;
};

/// The ranges of the control segments within their concatenation.
std::vector<ByteRange> controlRanges(std::span<const TextSegment> segments);

} // namespace lens
