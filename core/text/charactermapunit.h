// The layout of sentencepiece's precompiled character map: u32 size of the trie in bytes, the trie (a darts-clone
// double array of u32 units), then the replacement texts, each ended by NUL; little endian.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace lens {

/// A unit that is a leaf has the top bit set and holds a value: the offset of its replacement.
struct CharacterMapUnit {
    std::uint32_t bits;

    bool hasLeaf() const { return ((bits >> 8) & 1) != 0; }
    std::uint32_t value() const { return bits & 0x7FFFFFFFu; }
    std::uint32_t label() const { return bits & 0x800000FFu; }
    std::size_t offset() const { return (bits >> 10) << ((bits & (1u << 9)) >> 6); }
};

class CharacterMapView {
public:
    explicit CharacterMapView(std::string_view map) : m_map(map) {}

    bool hasHeader() const { return m_map.size() >= headerSize; }
    std::size_t trieSize() const { return littleEndian32(0); }
    std::size_t roomForTrie() const { return m_map.size() - headerSize; }

    /// Only once trieSize() is known to fit.
    std::string_view replacements() const { return m_map.substr(headerSize + trieSize()); }
    std::vector<std::uint32_t> units() const
    {
        std::vector<std::uint32_t> units;
        for (std::size_t at = 0; at + 4 <= trieSize(); at += 4)
            units.push_back(littleEndian32(headerSize + at));
        return units;
    }

private:
    static constexpr std::size_t headerSize = 4;

    std::uint32_t littleEndian32(std::size_t at) const
    {
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < 4; ++i)
            value |= static_cast<std::uint32_t>(static_cast<unsigned char>(m_map[at + i])) << (8 * i);
        return value;
    }

    std::string_view m_map;
};

} // namespace lens
