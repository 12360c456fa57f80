// The end of a token cache's file. Internal to core/corpus.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

namespace lens {

struct TokenCacheFooter {
    static constexpr std::array<char, 16> expectedMagic = {'s', 'u', 'p', 'r', 'a', '-', 'l', 'e',
                                                           'n', 's', '-', 't', 'o', 'k', 'e', 'n'};
    static constexpr std::uint32_t currentVersion = 1;

    std::uint64_t tokens = 0;
    std::uint64_t documents = 0;
    std::uint64_t textBytes = 0;
    std::uint32_t version = currentVersion;
    std::uint32_t tokenBytes = 2;
    std::array<char, 32> key{};
    std::array<char, 16> magic = expectedMagic;
};

static_assert(sizeof(TokenCacheFooter) == 80 && std::is_trivially_copyable_v<TokenCacheFooter>);

/// Bytes of the ids with the zeros behind them.
constexpr std::uint64_t paddedIdBytes(std::uint64_t tokens, std::uint32_t tokenBytes)
{
    return (tokens * tokenBytes + 7) / 8 * 8;
}

} // namespace lens
