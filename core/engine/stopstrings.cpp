#include "engine/stopstrings.h"

#include <algorithm>
#include <utility>

namespace lens {

StopStrings::StopStrings(std::vector<std::string> strings)
    : m_strings(std::move(strings))
{
    std::erase(m_strings, std::string());
}

std::string StopStrings::push(std::string_view text)
{
    if (m_stopped)
        return {};
    m_held += text;
    // The one that ends first, and of those the longest: what reading letter by letter would find, however the text
    // is cut into pieces.
    std::pair<std::size_t, std::size_t> found{std::string::npos, 0};  // end and beginning
    for (const std::string &string : m_strings)
        if (const std::size_t at = m_held.find(string); at != std::string::npos)
            found = std::min(found, {at + string.size(), at});
    if (found.first != std::string::npos) {
        m_stopped = true;
        m_held.resize(found.second);
        return std::exchange(m_held, {});
    }
    const std::size_t certain = m_held.size() - possibleBeginning();
    std::string out = m_held.substr(0, certain);
    m_held.erase(0, certain);
    return out;
}

std::string StopStrings::finish()
{
    return m_stopped ? std::string() : std::exchange(m_held, {});
}

std::size_t StopStrings::possibleBeginning() const
{
    std::size_t longest = 0;
    for (const std::string &string : m_strings) {
        for (std::size_t length = std::min(string.size() - 1, m_held.size()); length > longest; --length) {
            if (m_held.ends_with(std::string_view(string).substr(0, length))) {
                longest = length;
                break;
            }
        }
    }
    return longest;
}

} // namespace lens
