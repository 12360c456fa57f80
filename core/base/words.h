// Short texts that people type: "0.9,0.99", "steps=10:lr=1e-3".
#pragma once

#include <charconv>
#include <string_view>
#include <vector>

namespace lens {

/// The parts between the separators; at least one, any may be empty. They refer to `text`.
inline std::vector<std::string_view> split(std::string_view text, char separator)
{
    std::vector<std::string_view> parts;
    while (true) {
        const std::size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos)
            return parts;
        text.remove_prefix(end + 1);
    }
}

/// False, and `number` as it was, unless all of `text` is a number that fits.
template <class Number>
bool parseNumber(std::string_view text, Number &number)
{
    Number parsed{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (error != std::errc() || end != text.data() + text.size())
        return false;
    number = parsed;
    return true;
}

} // namespace lens
