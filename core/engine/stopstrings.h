// Stop strings in a stream of text, wherever the borders of tokens fall.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lens {

class StopStrings {
public:
    /// Empty strings are ignored.
    explicit StopStrings(std::vector<std::string> strings);

    /// Text that is certain not to belong to a stop string; the rest is held back. Empty once stopped().
    std::string push(std::string_view text);

    /// What is held back, when no more text comes; empty once stopped().
    std::string finish();

    bool stopped() const { return m_stopped; }

private:
    /// Length of the longest end of the held text with which a stop string begins.
    std::size_t possibleBeginning() const;

    std::vector<std::string> m_strings;
    std::string m_held;
    bool m_stopped = false;
};

} // namespace lens
