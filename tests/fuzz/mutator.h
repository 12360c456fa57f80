// Damages files the same way each time, mostly where readers look first.
#pragma once

#include "core/checkpoint/handmade.h"

#include <array>
#include <cstdint>
#include <random>
#include <string>

namespace lens::test {

/// Lengths, counts and offsets that have broken readers before.
inline constexpr std::array<std::uint64_t, 16> kNastyNumbers{0,
                                                      1,
                                                      2,
                                                      7,
                                                      8,
                                                      0x7F,
                                                      0xFF,
                                                      0xFFFF,
                                                      0x10000,
                                                      0x7FFFFFFF,
                                                      0x80000000,
                                                      0xFFFFFFFF,
                                                      0x100000000,
                                                      0x7FFFFFFFFFFFFFFF,
                                                      0x8000000000000000,
                                                      0xFFFFFFFFFFFFFFFF};

class Mutator {
public:
    explicit Mutator(std::uint32_t seed) : m_random(seed) {}

    std::string mutate(std::string bytes)
    {
        const int times = 1 + static_cast<int>(below(3));
        for (int i = 0; i < times && !bytes.empty(); ++i)
            mutateOnce(bytes);
        return bytes;
    }

private:
    std::size_t below(std::size_t limit) { return m_random() % limit; }

    /// Most of what can go wrong is in the first kilobyte, or in the last of a zip archive.
    std::size_t place(const std::string &bytes)
    {
        const std::size_t near = std::min<std::size_t>(bytes.size(), 1024);
        switch (below(4)) {
        case 0: return below(bytes.size());
        case 1: return bytes.size() - 1 - below(near);
        default: return below(near);
        }
    }

    void mutateOnce(std::string &bytes)
    {
        const std::size_t at = place(bytes);
        switch (below(7)) {
        case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8))); break;
        case 1: bytes[at] = static_cast<char>(below(256)); break;
        case 2: bytes.resize(at); break;
        case 3: bytes.erase(at, 1 + below(16)); break;
        case 4: bytes.insert(at, bytes.substr(place(bytes), 1 + below(64))); break;
        case 5: overwrite(bytes, at, below(2) == 0 ? 4 : 8); break;
        default: replaceDigit(bytes, at); break;
        }
    }

    void overwrite(std::string &bytes, std::size_t at, std::size_t width)
    {
        const std::string nasty = handmade::number(kNastyNumbers[below(kNastyNumbers.size())]);
        bytes.replace(at, std::min(width, bytes.size() - at), nasty, 0, width);
    }

    /// Numbers in JSON are texts: the next digit after `at` becomes another, longer or negative number.
    void replaceDigit(std::string &bytes, std::size_t at)
    {
        const std::size_t digit = bytes.find_first_of("0123456789", at);
        static const char *const numbers[] = {"9",   "-1", "1e9", "99999999999", "18446744073709551615",
                                              "0.5", "[]", "\"\""};
        if (digit != bytes.npos)
            bytes.replace(digit, 1, numbers[below(std::size(numbers))]);
    }

    std::mt19937 m_random;
};

} // namespace lens::test
