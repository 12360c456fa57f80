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

constexpr std::int64_t kTileNumbers = kTileRows * kTileColumns, kSums = kTileRows * kTileRows;
constexpr std::int64_t kTogether = 8;  // tiles of columns: what W has of them stays in the first cache, whatever the tokens
constexpr int kLineBytes = 64;

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

/// Tiles 0 to 3, [x][W], += what tiles 4 and 5 hold of x times what 6 and 7 hold of W.
template <int panels>
SUPRALENS_TILES inline void addLoaded()
{
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(2, 5, 6);
    if constexpr (panels == 2) {
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(3, 5, 7);
    }
}

template <int panels>
SUPRALENS_TILES inline void loadSums(const float *sums)
{
    _tile_loadd(0, sums, kLineBytes);
    _tile_loadd(2, sums + 2 * kSums, kLineBytes);
    if constexpr (panels == 2) {
        _tile_loadd(1, sums + kSums, kLineBytes);
        _tile_loadd(3, sums + 3 * kSums, kLineBytes);
    }
}

SUPRALENS_TILES inline void clearSums()
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

/// Each tile's rows `stride` numbers apart, tiles of W `right` and of x `down` numbers.
template <int panels>
SUPRALENS_TILES inline void storeSums(float *to, std::int64_t stride, std::int64_t right, std::int64_t down)
{
    _tile_stored(0, to, stride * 4);
    _tile_stored(2, to + down, stride * 4);
    if constexpr (panels == 2) {
        _tile_stored(1, to + right, stride * 4);
        _tile_stored(3, to + down + right, stride * 4);
    }
}

/// Tiles 0 to 3 += x W^T over some tiles of columns: low x with high W, high x with both. A row or panel below lies
/// `below` numbers behind. Eight loads for twelve products.
template <int panels>
SUPRALENS_TILES inline void addColumns(std::int64_t tiles, std::int64_t below, const TwoParts &x, const TwoParts &W)
{
    for (std::int64_t i = 0; i < tiles * kTileNumbers; i += kTileNumbers) {
        _tile_loadd(4, x.low + i, kLineBytes);
        _tile_loadd(5, x.low + i + below, kLineBytes);
        _tile_loadd(6, W.high + i, kLineBytes);
        if constexpr (panels == 2)
            _tile_loadd(7, W.high + i + below, kLineBytes);
        addLoaded<panels>();
        _tile_loadd(4, x.high + i, kLineBytes);
        _tile_loadd(5, x.high + i + below, kLineBytes);
        addLoaded<panels>();
        _tile_loadd(6, W.low + i, kLineBytes);
        if constexpr (panels == 2)
            _tile_loadd(7, W.low + i + below, kLineBytes);
        addLoaded<panels>();
    }
}

template <int panels>
SUPRALENS_TILES void multiplyPanels(const TileProduct &shape, const TwoParts &x, const TwoParts &W, float *scratch, float *y)
{
    const std::int64_t tiles = shape.columns / kTileColumns, below = tiles * kTileNumbers;
    for (std::int64_t tile = 0; tile < tiles; tile += kTogether)
        for (std::int64_t token = 0; token < shape.tokens; token += 2 * kTileRows) {
            float *sums = scratch + token * 2 * kTileRows;
            if (tile == 0)
                clearSums();
            else
                loadSums<panels>(sums);
            const std::int64_t ofX = token / kTileRows * below + tile * kTileNumbers, ofW = tile * kTileNumbers;
            addColumns<panels>(std::min(kTogether, tiles - tile), below, {x.high + ofX, x.low + ofX}, {W.high + ofW, W.low + ofW});
            if (tile + kTogether < tiles)
                storeSums<panels>(sums, kTileRows, kSums, 2 * kSums);
            else
                storeSums<panels>(y + token * shape.stride, shape.stride, kTileRows, kTileRows * shape.stride);
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

SUPRALENS_TILES void multiplyTiles(const TileProduct &shape, const TwoParts &x, const TwoParts &W, float *scratch, float *y)
{
    const TileSession session;
    if (shape.panels == 2)
        multiplyPanels<2>(shape, x, W, scratch, y);
    else
        multiplyPanels<1>(shape, x, W, scratch, y);
}

} // namespace lens::kernels

#else

namespace lens::kernels {

bool hasTiles()
{
    return false;
}

void multiplyTiles(const TileProduct &, const TwoParts &, const TwoParts &, float *, float *)
{
}

} // namespace lens::kernels

#endif
