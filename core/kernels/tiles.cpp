#include "kernels/tiles.h"

#if defined(__x86_64__) && defined(__linux__)

#include <algorithm>
#include <array>
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SUPRALENS_TILES __attribute__((target("amx-tile,amx-bf16")))

namespace lens::kernels {

namespace {

constexpr std::int64_t kHalf = kTile / 2;
constexpr std::int64_t kTogether = 256;  // columns: what W has of them stays in the first cache, whatever the tokens

/// As the processor reads it: eight tiles of 16 rows of 64 bytes.
struct alignas(64) TileConfig {
    std::uint8_t palette = 1, startRow = 0;
    std::array<std::uint8_t, 14> reserved{};
    std::array<std::uint16_t, 16> rowBytes{64, 64, 64, 64, 64, 64, 64, 64};
    std::array<std::uint8_t, 16> rows{16, 16, 16, 16, 16, 16, 16, 16};
};

/// Configures the tiles of this thread, and leaves them as they were: others remember what they set.
class TileSession {
public:
    SUPRALENS_TILES TileSession()
    {
        const TileConfig own;
        _tile_storeconfig(&m_before);
        _tile_loadconfig(&own);
    }

    SUPRALENS_TILES ~TileSession()
    {
        if (m_before.palette == 0)
            _tile_release();
        else
            _tile_loadconfig(&m_before);
    }

    TileSession(const TileSession &) = delete;
    TileSession &operator=(const TileSession &) = delete;

private:
    TileConfig m_before;
};

/// Tiles 0 to 3 += what tiles 4 and 5 hold of W times what 6 and 7 hold of x.
SUPRALENS_TILES inline void addLoaded()
{
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
}

/// Tiles 0 to 3 += W x^T for 32 rows and 32 tokens: low W with high x, high W with both. Eight loads for twelve products.
SUPRALENS_TILES void addColumns(std::int64_t columns, std::int64_t rowBytes, const TwoParts &W, const TwoParts &x)
{
    constexpr std::int64_t pairBytes = kTile * 4;
    for (std::int64_t i = 0; i < columns; i += kTile) {
        const BFloat16 *high = W.high + i, *low = W.low + i, *xHigh = x.high + i * kTile, *xLow = x.low + i * kTile;
        _tile_loadd(4, low, rowBytes);
        _tile_loadd(5, low + kHalf * rowBytes / 2, rowBytes);
        _tile_loadd(6, xHigh, pairBytes);
        _tile_loadd(7, xHigh + kTile, pairBytes);
        addLoaded();
        _tile_loadd(4, high, rowBytes);
        _tile_loadd(5, high + kHalf * rowBytes / 2, rowBytes);
        addLoaded();
        _tile_loadd(6, xLow, pairBytes);
        _tile_loadd(7, xLow + kTile, pairBytes);
        addLoaded();
    }
}

bool mayUseTiles()
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned bfloat16 = 1u << 22, tiles = 1u << 24;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & (bfloat16 | tiles)) != (bfloat16 | tiles))
        return false;
    constexpr long requestPermission = 0x1023, tileData = 18;
    return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
}

} // namespace

bool hasTiles()
{
    static const bool has = mayUseTiles();
    return has;
}

SUPRALENS_TILES void multiplyTiles(std::int64_t columns, std::int64_t tokens, const TwoParts &W, const TwoParts &x, float *product)
{
    const TileSession session;
    const std::int64_t productBytes = tokens * 4;
    for (std::int64_t column = 0; column < columns; column += kTogether)
        for (std::int64_t token = 0; token < tokens; token += kTile) {
            float *upper = product + token, *lower = upper + kHalf * tokens;
            if (column == 0) {
                _tile_zero(0);
                _tile_zero(1);
                _tile_zero(2);
                _tile_zero(3);
            } else {
                _tile_loadd(0, upper, productBytes);
                _tile_loadd(1, upper + kHalf, productBytes);
                _tile_loadd(2, lower, productBytes);
                _tile_loadd(3, lower + kHalf, productBytes);
            }
            const std::int64_t at = token * columns + column * kTile;
            addColumns(std::min(kTogether, columns - column), columns * 2, {W.high + column, W.low + column}, {x.high + at, x.low + at});
            _tile_stored(0, upper, productBytes);
            _tile_stored(1, upper + kHalf, productBytes);
            _tile_stored(2, lower, productBytes);
            _tile_stored(3, lower + kHalf, productBytes);
        }
}

} // namespace lens::kernels

#else

namespace lens::kernels {

bool hasTiles()
{
    return false;
}

void multiplyTiles(std::int64_t, std::int64_t, const TwoParts &, const TwoParts &, float *)
{
}

} // namespace lens::kernels

#endif
