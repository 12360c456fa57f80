#include "cli/format.h"

#include "text/utf8.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace lens::cli {

namespace {

/// Also the C1 controls U+0080 to U+009F, which some terminals obey.
bool isControl(char32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

constexpr std::string_view replacement = "\xEF\xBF\xBD";

template <class OnControl>
std::string filtered(std::string_view text, OnControl onControl)
{
    std::string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Char character = utf8At(text, at);
        const std::string_view spelt = text.substr(at, character.length);
        if (character.status != Utf8Char::Status::Valid)
            result += replacement;
        else if (isControl(character.codePoint))
            result += onControl(spelt);
        else
            result += spelt;
        at += character.length;
    }
    return result;
}

bool looksNumeric(const std::string &cell)
{
    return cell.empty() || cell == "-" || cell == "n/a" || cell.find_first_of("0123456789") < 2;
}

std::string padded(const std::string &cell, std::size_t width, bool right)
{
    const std::string space(width - std::min(width, displayWidth(cell)), ' ');
    return right ? space + cell : cell + space;
}

} // namespace

std::string fixed(double value, int decimals)
{
    if (!std::isfinite(value))
        return "n/a";
    std::array<char, 400> buffer;
    return std::string(buffer.data(), std::snprintf(buffer.data(), buffer.size(), "%.*f", decimals, value));
}

std::string significant(double value)
{
    if (!std::isfinite(value))
        return "n/a";
    const double size = std::abs(value);
    if (size == 0)
        return "0";
    if (size < 1e-3 || size >= 1e7) {
        std::array<char, 40> buffer;
        return std::string(buffer.data(), std::snprintf(buffer.data(), buffer.size(), "%.2e", value));
    }
    return fixed(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4);
}

std::string bytes(std::uint64_t count)
{
    static constexpr std::array units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = static_cast<double>(count);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    return (unit == 0 ? std::to_string(count) : fixed(value, value < 10 ? 2 : 1)) + " " + units[unit];
}

std::string grouped(std::uint64_t count)
{
    std::string digits = std::to_string(count);
    for (std::size_t place = digits.size(); place > 3; place -= 3)
        digits.insert(place - 3, ",");
    return digits;
}

std::string duration(double seconds)
{
    if (!std::isfinite(seconds))
        return "n/a";
    return seconds < 1 ? significant(seconds * 1000) + " ms" : fixed(seconds, seconds < 10 ? 2 : 1) + " s";
}

std::string harmless(std::string_view text)
{
    return filtered(text, [](std::string_view c) { return c == "\n" || c == "\t" ? c : replacement; });
}

std::string oneLine(std::string_view text)
{
    return filtered(text, [](std::string_view c) -> std::string {
        if (c == "\n")
            return "\\n";
        if (c == "\t")
            return "\\t";
        if (c == "\r")
            return "\\r";
        std::array<char, 8> buffer;
        const auto code = static_cast<unsigned char>(c.back());
        return std::string(buffer.data(), std::snprintf(buffer.data(), buffer.size(), "\\x%02x", code));
    });
}

std::string validUtf8(std::string_view text)
{
    return filtered(text, [](std::string_view c) { return c; });
}

std::size_t displayWidth(std::string_view text)
{
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string table(const std::vector<std::vector<std::string>> &rows)
{
    if (rows.empty())
        return {};
    const std::size_t columns = rows.front().size();
    std::vector<std::size_t> widths(columns, 0);
    std::vector<bool> right(columns, rows.size() > 1);
    for (std::size_t r = 0; r < rows.size(); ++r) {
        for (std::size_t c = 0; c < columns; ++c) {
            widths[c] = std::max(widths[c], displayWidth(rows[r][c]));
            right[c] = right[c] && (r == 0 || looksNumeric(rows[r][c]));
        }
    }
    std::string text;
    for (const std::vector<std::string> &row : rows) {
        std::string line;
        for (std::size_t c = 0; c < columns; ++c)
            line += (c > 0 ? "  " : "") + padded(row[c], widths[c], right[c]);
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::string facts(const std::vector<std::pair<std::string, std::string>> &lines)
{
    std::size_t width = 0;
    for (const auto &[label, value] : lines)
        width = std::max(width, displayWidth(label));
    std::string text;
    for (const auto &[label, value] : lines)
        text += padded(label, width, false) + "  " + value + "\n";
    return text;
}

} // namespace lens::cli
