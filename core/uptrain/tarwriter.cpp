#include "uptrain/tarwriter.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>

namespace lens {

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kLongestName = 99;
constexpr std::uint64_t kLargestContent = (std::uint64_t(1) << 33) - 1;  // eleven octal digits

struct Field {
    std::size_t offset, width;
};

constexpr Field kName{0, 100}, kMode{100, 8}, kOwner{108, 8}, kGroup{116, 8}, kSize{124, 12}, kTime{136, 12}, kChecksum{148, 8},
    kType{156, 1}, kMagic{257, 8};

using Header = std::array<char, kBlock>;

void put(Header &header, Field field, std::string_view text)
{
    std::copy_n(text.begin(), std::min(text.size(), field.width), header.begin() + static_cast<std::ptrdiff_t>(field.offset));
}

/// Octal digits and a closing zero byte.
void putNumber(Header &header, Field field, std::uint64_t number)
{
    std::array<char, 16> digits;
    std::snprintf(digits.data(), digits.size(), "%0*llo", static_cast<int>(field.width - 1), static_cast<unsigned long long>(number));
    put(header, field, digits.data());
}

Header headerOf(const std::string &name, std::uint64_t size)
{
    Header header{};
    put(header, kName, name);
    putNumber(header, kMode, 0644);
    putNumber(header, kOwner, 0);
    putNumber(header, kGroup, 0);
    putNumber(header, kSize, size);
    putNumber(header, kTime, 0);
    put(header, kType, "0");
    put(header, kMagic, std::string_view("ustar\00000", 8));
    put(header, kChecksum, "        ");  // counts as blanks in its own sum
    const unsigned sum = std::accumulate(header.begin(), header.end(), 0u,
                                         [](unsigned total, char c) { return total + static_cast<unsigned char>(c); });
    putNumber(header, {kChecksum.offset, kChecksum.width - 1}, sum);
    return header;
}

} // namespace

Result<void> TarWriter::add(const std::string &name, std::string_view content)
{
    if (name.size() > kLongestName || content.size() > kLargestContent)
        return fail(ErrorCode::LimitExceeded, "a tar entry is too large or its name too long", name);
    const Header header = headerOf(name, content.size());
    if (auto written = m_file.write(std::string_view(header.data(), header.size())); !written)
        return written;
    if (auto written = m_file.write(content); !written)
        return written;
    const std::string padding((kBlock - content.size() % kBlock) % kBlock, '\0');
    return m_file.write(padding);
}

Result<void> TarWriter::finish()
{
    return m_file.write(std::string(2 * kBlock, '\0'));
}

} // namespace lens
