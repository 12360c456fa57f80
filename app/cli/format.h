// Numbers and tables for people. No locale: scripts read them too.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lens::cli {

/// "12.30" for (12.3, 2); "n/a" when it is not finite.
std::string fixed(double value, int decimals);

/// About three significant digits: "0.0123", "41.2", "12345"; "n/a" when it is not finite.
std::string significant(double value);

/// "12.4 MiB".
std::string bytes(std::uint64_t count);

/// "134,515,008".
std::string grouped(std::uint64_t count);

/// "8.1 ms", "2.35 s".
std::string duration(double seconds);

/// The text with control characters other than tab and line feed shown as U+FFFD, so that it cannot steer a terminal.
std::string harmless(std::string_view text);

/// The text on one line: line feeds, tabs and other control characters as \n, \t, \x1b.
std::string oneLine(std::string_view text);

/// Valid UTF-8: every broken sequence becomes one U+FFFD.
std::string validUtf8(std::string_view text);

/// Characters of a UTF-8 text (code points), for columns.
std::size_t displayWidth(std::string_view text);

/// Rows of cells in aligned columns, two spaces apart; the first row is the heading. Columns whose cells below the
/// heading are all numbers are aligned right.
std::string table(const std::vector<std::vector<std::string>> &rows);

/// "name   value" lines, values aligned.
std::string facts(const std::vector<std::pair<std::string, std::string>> &lines);

} // namespace lens::cli
