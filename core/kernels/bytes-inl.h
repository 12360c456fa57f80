// Products with quantised blocks by instructions that multiply bytes (AVX-512 VNNI): half the steps that float32 takes, and
// as exact. x becomes three digits of a number for each of its elements.
#if defined(SUPRALENS_BYTES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SUPRALENS_BYTES_INL_H
#undef SUPRALENS_BYTES_INL_H
#else
#define SUPRALENS_BYTES_INL_H
#endif

#include "kernels/blocks-inl.h"

#if HWY_TARGET == HWY_AVX3_DL

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

using ByteLanes = hn::FixedTag<std::uint8_t, 64>;
using ByteVector = hn::Vec<ByteLanes>;
using PairLanes = hn::Repartition<std::uint16_t, ByteLanes>;
using Sums = hn::Repartition<std::int32_t, ByteLanes>;

/// Bytes moved down by `low` bits in one half of each 128 or 256 and by `high` bits in the other: what crosses into the
/// byte below is for the caller to remove.
template <int half, int low, int high>
HWY_INLINE ByteVector shifted(ByteVector bytes)
{
    const auto index = hn::ShiftRight<half == 128 ? 3 : 4>(hn::Iota(PairLanes(), 0));
    const auto isUpper = hn::Eq(hn::And(index, hn::Set(PairLanes(), 1)), hn::Set(PairLanes(), 1));
    const auto by = hn::IfThenElse(isUpper, hn::Set(PairLanes(), high), hn::Set(PairLanes(), low));
    return hn::BitCast(ByteLanes(), hn::Shr(hn::BitCast(PairLanes(), bytes), by));
}

HWY_INLINE ByteVector only(ByteVector bytes, std::uint8_t bits)
{
    return hn::And(bytes, hn::Set(ByteLanes(), bits));
}

/// Bits 0 and 1 become bits 4 and 5.
HWY_INLINE ByteVector raised(ByteVector twoBits)
{
    return hn::BitCast(ByteLanes(), hn::ShiftLeft<4>(hn::BitCast(PairLanes(), twoBits)));
}

HWY_INLINE ByteVector twice(Bytes at)
{
    return ByteVector{_mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(at)))};
}

/// The four-bit integers of two blocks, 16 bytes each.
HWY_INLINE ByteVector nibbles(Bytes a, Bytes b)
{
    const hn::Half<ByteLanes> half;
    return only(shifted<128, 0, 4>(hn::Combine(ByteLanes(), hn::LoadDup128(half, b), hn::LoadDup128(half, a))), 15);
}

/// 16 where a bit of two blocks' 32 is set.
HWY_INLINE ByteVector fifths(Bytes a, Bytes b)
{
    std::uint32_t bits[2];
    std::memcpy(&bits[0], a, sizeof(bits[0]));
    std::memcpy(&bits[1], b, sizeof(bits[1]));
    return hn::IfThenElseZero(hn::LoadMaskBits(ByteLanes(), reinterpret_cast<Bytes>(bits)), hn::Set(ByteLanes(), 16));
}

/// Gives the integers of 64 elements at a time to consume(index, bytes), without signs. Two blocks of 32 elements, or twice
/// the same of 256.
template <BlockFormat format>
struct ByteBlock {
    static constexpr int kDigitBits = 8;
    static constexpr int kRaised = 0;  ///< by how much the integers were raised to have no signs
};

template <>
struct ByteBlock<BlockFormat::Q8_0> {
    static constexpr int kDigitBits = 7;
    static constexpr int kRaised = 128;
};

template <BlockFormat format, class Consume>
HWY_INLINE void bytesOf(Bytes a, Bytes b, const Consume &consume)
{
    if constexpr (format == BlockFormat::Q4_0) {
        consume(0, nibbles(a + 2, b + 2));
    } else if constexpr (format == BlockFormat::Q4_1) {
        consume(0, nibbles(a + 4, b + 4));
    } else if constexpr (format == BlockFormat::Q5_0) {
        consume(0, hn::Or(nibbles(a + 6, b + 6), fifths(a + 2, b + 2)));
    } else if constexpr (format == BlockFormat::Q5_1) {
        consume(0, hn::Or(nibbles(a + 8, b + 8), fifths(a + 4, b + 4)));
    } else if constexpr (format == BlockFormat::Q8_0) {
        const hn::Half<ByteLanes> half;
        const auto both = hn::Combine(ByteLanes(), hn::LoadU(half, b + 2), hn::LoadU(half, a + 2));
        consume(0, hn::Xor(both, hn::Set(ByteLanes(), 128)));
    } else if constexpr (format == BlockFormat::Q4_K) {
        for (int g = 0; g < 4; ++g)
            consume(64 * g, only(shifted<256, 0, 4>(twice(a + 16 + 32 * g)), 15));
    } else if constexpr (format == BlockFormat::Q5_K) {
        const ByteVector high = twice(a + 16);
        const auto isLower = hn::FirstN(ByteLanes(), 32);
        for (int g = 0; g < 4; ++g) {
            const auto bit = hn::IfThenElse(isLower, hn::Set(ByteLanes(), static_cast<std::uint8_t>(1 << 2 * g)),
                                            hn::Set(ByteLanes(), static_cast<std::uint8_t>(2 << 2 * g)));
            const auto fifth = hn::IfThenElseZero(hn::TestBit(high, bit), hn::Set(ByteLanes(), 16));
            consume(64 * g, hn::Or(only(shifted<256, 0, 4>(twice(a + 48 + 32 * g)), 15), fifth));
        }
    } else {
        for (int n = 0; n < 2; ++n) {
            const ByteVector four = hn::LoadU(ByteLanes(), a + 64 * n), two = twice(a + 128 + 32 * n);
            consume(128 * n, hn::Or(only(four, 15), raised(only(shifted<256, 0, 2>(two), 3))));
            consume(128 * n + 64, hn::Or(only(shifted<256, 4, 4>(four), 15), raised(only(shifted<256, 4, 6>(two), 3))));
        }
    }
}

/// x = scale (digit[0] B^2 + digit[1] B + digit[2]) with a scale for each group: exact to 2^-22 of its largest number.
class Input {
public:
    template <BlockFormat format>
    HWY_INLINE void assign(std::int64_t columns, const float *x);

    HWY_INLINE const float *sums() const { return m_sum; }

    /// sum_g scale_g (q . x)_g of a row's blocks, in parts.
    template <BlockFormat format>
    HWY_INLINE Values products(std::int64_t blocks, Bytes row, const float *rowScale) const;

private:
    template <int bits, std::int64_t group>
    HWY_INLINE void assignGroup(std::int64_t index, const float *x);

    /// sums of q . x in units of the scale, four elements each.
    template <int bits>
    HWY_INLINE hn::Vec<Sums> integersOf(ByteVector q, std::int64_t i) const;

    /// In assembly: Highway does not ask the compiler for this instruction, though its target implies it.
    HWY_INLINE hn::Vec<Sums> add(hn::Vec<Sums> sums, ByteVector q, const std::int8_t *digits) const
    {
        asm("vpdpbusd %2, %1, %0" : "+v"(sums.raw) : "v"(q.raw), "m"(*reinterpret_cast<const __m512i *>(digits)));
        return sums;
    }

    HWY_ALIGN std::int8_t m_digit[3][kMostColumns + 64];
    HWY_ALIGN std::int32_t m_excess[kMostColumns / 4 + 16];  // what the raised integers add to integersOf()
    HWY_ALIGN float m_scale[kMostColumns / 16 + 16];
    HWY_ALIGN float m_sum[kMostColumns / 16 + 16];  // of x in the group; zeros behind the last
};

template <BlockFormat format>
HWY_INLINE void Input::assign(std::int64_t columns, const float *x)
{
    constexpr std::int64_t group = Block<format>::kGroup;
    const std::int64_t groups = columns / group;
    for (std::int64_t i = 0; i < groups; ++i)
        assignGroup<ByteBlock<format>::kDigitBits, group>(i, x + i * group);
    std::fill(m_sum + groups, m_sum + groups + 16, 0.0f);
    std::fill(m_scale + groups, m_scale + groups + 16, 0.0f);
    for (std::int8_t *digits : m_digit)
        std::fill(digits + columns, digits + columns + 32, std::int8_t{0});
    const ByteVector raise = hn::Set(ByteLanes(), ByteBlock<format>::kRaised);
    for (std::int64_t i = 0; i < columns && ByteBlock<format>::kRaised != 0; i += 64)
        hn::Store(integersOf<ByteBlock<format>::kDigitBits>(raise, i), Sums(), m_excess + i / 4);
}

template <int bits, std::int64_t group>
HWY_INLINE void Input::assignGroup(std::int64_t index, const float *x)
{
    constexpr float kMost = 126 * (1 << 2 * bits);
    constexpr float kLeast = 1e-30f;  // below, the inverse of a scale would overflow
    const hn::Rebind<std::int8_t, Sums> narrow;
    auto total = hn::Zero(Lanes()), greatest = total;
    for (std::int64_t i = 0; i < group; i += kLanes) {
        const Values numbers = hn::LoadU(Lanes(), x + i);
        total = hn::Add(total, numbers);
        greatest = hn::Max(greatest, hn::Abs(numbers));
    }
    m_sum[index] = hn::GetLane(hn::SumOfLanes(Lanes(), total));
    const float most = hn::GetLane(hn::MaxOfLanes(Lanes(), greatest));
    m_scale[index] = most / kMost + 0 * m_sum[index];  // what is no number must not become one; only the sum is sure to tell
    const Values inverse = hn::Set(Lanes(), most > kLeast ? kMost / most : 0);
    const auto lowest = [](auto number) HWY_ATTR { return hn::ShiftRight<32 - bits>(hn::ShiftLeft<32 - bits>(number)); };
    for (std::int64_t i = 0; i < group; i += kLanes) {
        const auto number = hn::NearestInt(hn::Mul(hn::LoadU(Lanes(), x + i), inverse));
        const auto third = lowest(number);
        const auto rest = hn::ShiftRight<bits>(hn::Sub(number, third));
        const auto second = lowest(rest), first = hn::ShiftRight<bits>(hn::Sub(rest, second));
        hn::StoreU(hn::DemoteTo(narrow, first), narrow, m_digit[0] + index * group + i);
        hn::StoreU(hn::DemoteTo(narrow, second), narrow, m_digit[1] + index * group + i);
        hn::StoreU(hn::DemoteTo(narrow, third), narrow, m_digit[2] + index * group + i);
    }
}

template <int bits>
HWY_INLINE hn::Vec<Sums> Input::integersOf(ByteVector q, std::int64_t i) const
{
    const auto first = add(hn::Zero(Sums()), q, m_digit[0] + i);
    const auto second = add(hn::ShiftLeft<bits>(first), q, m_digit[1] + i);
    return add(hn::ShiftLeft<bits>(second), q, m_digit[2] + i);
}

/// Of 64 elements: the scales of their two or four groups.
template <std::int64_t group>
HWY_INLINE Values scalesOf(const float *scale)
{
    if constexpr (group == 32)
        return hn::IfThenElse(hn::FirstN(Lanes(), 8), hn::Set(Lanes(), scale[0]), hn::Set(Lanes(), scale[1]));
    HWY_ALIGN static constexpr std::int32_t kFourEach[16] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3};
    return hn::TableLookupLanes(hn::LoadU(Lanes(), scale), hn::SetTableIndices(Lanes(), kFourEach));
}

template <BlockFormat format>
HWY_INLINE Values Input::products(std::int64_t blocks, Bytes row, const float *rowScale) const
{
    constexpr std::int64_t group = Block<format>::kGroup, elements = blockElements(format), bytes = blockBytes(format);
    constexpr std::int64_t together = elements == 32 ? 2 : 1;
    const std::int64_t groups = blocks * elements / group;
    HWY_ALIGN float scale[kMostColumns / 16 + 32];
    Values even = hn::Zero(Lanes()), odd = even;
    for (std::int64_t g = 0; g < groups; g += kLanes)
        hn::Store(hn::Mul(hn::LoadU(Lanes(), rowScale + g), hn::Load(Lanes(), m_scale + g)), Lanes(), scale + g);
    scale[groups] = 0;  // of the partner that an odd block lacks
    for (std::int64_t block = 0; block < blocks; block += together, row += together * bytes) {
        const Bytes partner = together == 2 && block + 1 < blocks ? row + bytes : row;
        hwy::Prefetch(row + kAhead);
        bytesOf<format>(row, partner, [&](std::int64_t i, ByteVector q) HWY_ATTR {
            const std::int64_t at = block * elements + i;
            auto integers = integersOf<ByteBlock<format>::kDigitBits>(q, at);
            if constexpr (ByteBlock<format>::kRaised != 0)
                integers = hn::Sub(integers, hn::Load(Sums(), m_excess + at / 4));
            Values &sum = at / 64 % 2 == 0 ? even : odd;
            sum = hn::MulAdd(hn::ConvertTo(Lanes(), integers), scalesOf<group>(scale + at / group), sum);
        });
    }
    return hn::Add(even, odd);
}

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
#endif
