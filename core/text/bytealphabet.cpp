#include "text/bytealphabet.h"

#include "text/utf8.h"

#include <array>

namespace lens {

namespace {

constexpr bool standsForItself(int byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

struct Alphabet {
    std::array<std::string, 256> spelling;
    std::array<int, 256 + 68> byteOf;  // by code point, -1 where there is none

    Alphabet()
    {
        byteOf.fill(-1);
        char32_t next = 256;
        for (int byte = 0; byte < 256; ++byte) {
            const char32_t codePoint = standsForItself(byte) ? static_cast<char32_t>(byte) : next++;
            appendUtf8(spelling[static_cast<std::size_t>(byte)], codePoint);
            byteOf[codePoint] = byte;
        }
    }
};

const Alphabet &alphabet()
{
    static const Alphabet instance;
    return instance;
}

} // namespace

std::string toByteAlphabet(std::string_view bytes)
{
    const auto &spelling = alphabet().spelling;
    std::string result;
    result.reserve(bytes.size() * 2);
    for (const char c : bytes)
        result += spelling[static_cast<unsigned char>(c)];
    return result;
}

std::optional<std::string> fromByteAlphabet(std::string_view piece)
{
    const auto &byteOf = alphabet().byteOf;
    std::string result;
    for (std::size_t at = 0; at < piece.size();) {
        const Utf8Char character = utf8At(piece, at);
        if (character.status != Utf8Char::Status::Valid || character.codePoint >= byteOf.size()
            || byteOf[character.codePoint] < 0)
            return std::nullopt;
        result.push_back(static_cast<char>(byteOf[character.codePoint]));
        at += character.length;
    }
    return result;
}

} // namespace lens
