#include "cli/indexedimage.h"

#include "cli/chartgeometry.h"

#include <algorithm>
#include <cmath>

namespace lens::cli {

namespace {

constexpr std::uint8_t noValue = 255; ///< palette entry

void appendNumber(std::string &bytes, std::uint32_t value, int size)
{
    for (int i = 0; i < size; ++i)
        bytes += static_cast<char>(value >> (8 * i) & 0xFF);
}

} // namespace

std::string imageUri(std::int64_t rows, std::int64_t columns, const std::vector<double> &shares)
{
    constexpr std::uint32_t headerBytes = 14 + 40 + 256 * 4;
    const auto stride = static_cast<std::uint32_t>((columns + 3) / 4 * 4);
    const std::uint32_t pixels = stride * static_cast<std::uint32_t>(rows);
    std::string bmp = "BM";
    appendNumber(bmp, headerBytes + pixels, 4);
    appendNumber(bmp, 0, 4);
    appendNumber(bmp, headerBytes, 4);
    appendNumber(bmp, 40, 4);
    appendNumber(bmp, static_cast<std::uint32_t>(columns), 4);
    appendNumber(bmp, static_cast<std::uint32_t>(rows), 4);
    appendNumber(bmp, 1, 2);
    appendNumber(bmp, 8, 2);
    appendNumber(bmp, 0, 4);
    appendNumber(bmp, pixels, 4);
    appendNumber(bmp, 2835, 4);
    appendNumber(bmp, 2835, 4);
    appendNumber(bmp, 256, 4);
    appendNumber(bmp, 0, 4);
    for (int i = 0; i < 256; ++i) {
        const Rgb colour = i == noValue ? Rgb{136, 136, 136} : scaleRgb(i / (noValue - 1.0));
        bmp += {static_cast<char>(colour[2]), static_cast<char>(colour[1]), static_cast<char>(colour[0]), '\0'};
    }
    for (std::int64_t row = rows - 1; row >= 0; --row) {
        for (std::uint32_t column = 0; column < stride; ++column) {
            const bool inside = column < columns;
            const double share = inside ? shares[static_cast<std::size_t>(row * columns + column)] : 0;
            const double level = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) * (noValue - 1) : noValue;
            bmp += static_cast<char>(static_cast<std::uint8_t>(std::lround(level)));
        }
    }
    return "data:image/bmp;base64," + base64(bmp);
}

std::string base64(const std::string &bytes)
{
    static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k)
            group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
        for (std::size_t k = 0; k < 4; ++k)
            text += i + k > bytes.size() ? '=' : digits[group >> (18 - 6 * k) & 63];
    }
    return text;
}

} // namespace lens::cli
