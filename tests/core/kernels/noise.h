// For tests of kernels: numbers of both types, without the kernels' own help.
#pragma once

#include "kernels/number.h"

#include <bit>
#include <cstdint>
#include <random>
#include <type_traits>
#include <vector>

namespace lens::test {

inline double value(float x)
{
    return x;
}

inline double value(kernels::BFloat16 x)
{
    return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16);
}

/// Ties to even.
template <class T>
T nearest(double x)
{
    if constexpr (std::is_same_v<T, float>) {
        return static_cast<float>(x);
    } else {
        const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(x));
        return static_cast<kernels::BFloat16>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}

template <class T>
std::vector<T> noise(std::int64_t n, unsigned seed, double scale = 1)
{
    std::mt19937 generator(seed);
    std::normal_distribution<double> normal(0, scale);
    std::vector<T> x;
    for (std::int64_t i = 0; i < n; ++i)
        x.push_back(nearest<T>(normal(generator)));
    return x;
}

} // namespace lens::test
