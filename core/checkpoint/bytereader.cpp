#include "checkpoint/bytereader.h"

#include <algorithm>

namespace lens {

namespace {

constexpr std::size_t kLongestInMessage = 120;

struct Utf8Sequence {
    std::size_t length;
    std::uint32_t lowest; ///< smaller code points have a shorter form
    std::uint32_t bits;   ///< of the first byte
};

Utf8Sequence utf8Sequence(unsigned char first)
{
    if (first < 0x80)
        return {1, 0, first};
    if (first >= 0xC2 && first < 0xE0)
        return {2, 0x80, first & 0x1Fu};
    if (first >= 0xE0 && first < 0xF0)
        return {3, 0x800, first & 0x0Fu};
    if (first >= 0xF0 && first < 0xF5)
        return {4, 0x10000, first & 0x07u};
    return {0, 0, 0};
}

} // namespace

std::span<const std::byte> ByteReader::take(std::uint64_t count)
{
    if (m_failed || count > remaining()) {
        m_failed = true;
        return {};
    }
    const std::span<const std::byte> taken = m_bytes.subspan(m_position, count);
    m_position += count;
    return taken;
}

std::string_view ByteReader::text(std::uint64_t count)
{
    const std::span<const std::byte> bytes = take(count);
    return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

std::string_view ByteReader::line()
{
    const std::span<const std::byte> rest = m_bytes.subspan(m_position);
    const auto end = std::ranges::find(rest, std::byte{'\n'});
    const std::string_view result = text(static_cast<std::uint64_t>(end - rest.begin()));
    take(1);
    return ok() ? result : std::string_view();
}

bool ByteReader::canHold(std::uint64_t count, std::uint64_t bytesEach)
{
    if (!m_failed && count > remaining() / bytesEach)
        m_failed = true;
    return !m_failed;
}

std::string ByteReader::where() const
{
    return m_file + ", offset " + std::to_string(m_start + m_position);
}

tl::unexpected<Error> ByteReader::truncated() const
{
    return fail(ErrorCode::Truncated, "the file announces more than it holds", where(), "download the file again");
}

bool isUtf8(std::string_view text)
{
    for (std::size_t i = 0; i < text.size();) {
        const Utf8Sequence sequence = utf8Sequence(static_cast<unsigned char>(text[i]));
        if (sequence.length == 0 || sequence.length > text.size() - i)
            return false;
        std::uint32_t codePoint = sequence.bits;
        for (std::size_t k = 1; k < sequence.length; ++k) {
            const auto byte = static_cast<unsigned char>(text[i + k]);
            if ((byte & 0xC0) != 0x80)
                return false;
            codePoint = codePoint << 6 | (byte & 0x3Fu);
        }
        if (codePoint < sequence.lowest || codePoint > 0x10FFFF || (codePoint >= 0xD800 && codePoint < 0xE000))
            return false;
        i += sequence.length;
    }
    return true;
}

std::string shortened(std::string_view text)
{
    std::string result;
    for (const char c : text.substr(0, kLongestInMessage))
        result += c >= ' ' && c != '\x7F' ? c : '?';
    return text.size() > kLongestInMessage ? result + "..." : result;
}

} // namespace lens
