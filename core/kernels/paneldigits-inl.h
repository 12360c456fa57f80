// What both kinds of products with panels, by one token and by many, need of x: its numbers as digits of integers.
#if defined(SUPRALENS_PANELDIGITS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SUPRALENS_PANELDIGITS_INL_H
#undef SUPRALENS_PANELDIGITS_INL_H
#else
#define SUPRALENS_PANELDIGITS_INL_H
#endif

#include "kernels/panelformats-inl.h"

#if HWY_TARGET <= HWY_AVX2

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

constexpr int kDigits = 3, kDigitBits = 7;

/// Where the digits of one group of columns go, and what else is to be known of it.
struct GroupOfInput {
    std::int8_t *digit[kDigits];
    std::int32_t *start;
    float *scale, *sum;
};

/// The greatest first digit: one that has a byte, or of which 16 bits have room for more sums.
constexpr int kFirstDigit = HWY_TARGET <= HWY_AVX3_DL ? 127 : 64;

/// The greatest integer that stands for a number: sums of a group stay within 32 bits.
template <class Panel>
constexpr int kGreatestInteger = HWY_MIN(kFirstDigit << (kDigitBits * (kDigits - 1)),
                                         2147000000 / (Panel::kGroup * Panel::kGreatest));

template <class Panel>
HWY_INLINE void assignGroup(const float *x, const GroupOfInput &to)
{
    constexpr float kMost = kGreatestInteger<Panel>;
    constexpr float kLeast = 1e-30f;  // below, the inverse of a scale would overflow
    constexpr std::int64_t group = Panel::kGroup, lanes = kRows;
    constexpr int unused = 32 - kDigitBits;
    const hn::Rebind<std::int8_t, Sums> narrow;
    auto total = hn::Zero(Lanes()), greatest = total;
    for (std::int64_t i = 0; i < group; i += lanes) {
        const Values numbers = hn::LoadU(Lanes(), x + i);
        total = hn::Add(total, numbers);
        greatest = hn::Max(greatest, hn::Abs(numbers));
    }
    const float sum = hn::GetLane(hn::SumOfLanes(Lanes(), total)),
                most = hn::GetLane(hn::MaxOfLanes(Lanes(), greatest));
    *to.sum = sum;
    *to.scale = most / kMost + 0 * sum;  // what is no number must not become one; only the sum is sure to tell
    const Values inverse = hn::Set(Lanes(), most > kLeast ? kMost / most : 0);
    const auto lowest = [](auto number) HWY_ATTR { return hn::ShiftRight<unused>(hn::ShiftLeft<unused>(number)); };
    auto integers = hn::Zero(Sums());
    for (std::int64_t i = 0; i < group; i += lanes) {
        const auto number = hn::NearestInt(hn::Mul(hn::LoadU(Lanes(), x + i), inverse));
        const auto third = lowest(number);
        const auto rest = hn::ShiftRight<kDigitBits>(hn::Sub(number, third));
        const auto second = lowest(rest), first = hn::ShiftRight<kDigitBits>(hn::Sub(rest, second));
        hn::StoreU(hn::DemoteTo(narrow, first), narrow, to.digit[0] + i);
        hn::StoreU(hn::DemoteTo(narrow, second), narrow, to.digit[1] + i);
        hn::StoreU(hn::DemoteTo(narrow, third), narrow, to.digit[2] + i);
        integers = hn::Add(integers, number);
    }
    *to.start = Panel::kRaised == 0 ? 0 : -Panel::kRaised * hn::GetLane(hn::SumOfLanes(Sums(), integers));
}

/// Four columns of a panel.
struct Columns {
    ByteVector slice[kSlices];
};

template <class Panel, int i>
HWY_INLINE Columns columnsOf(Bytes block, int group)
{
    if constexpr (kSlices == 1)
        return {{Panel::template quants<i>({block, 0}, group)}};
    else
        return {{Panel::template quants<i>({block, 0}, group), Panel::template quants<i>({block, kRows}, group)}};
}

#if HWY_TARGET <= HWY_AVX3_DL

/// Integers times one digit of x, summed over columns.
struct DigitSums {
    hn::Vec<Sums> slice[kSlices];

    static HWY_INLINE DigitSums none() { return {{hn::Zero(Sums())}}; }

    static HWY_INLINE DigitSums of(const Columns &q, const std::int8_t *digits)
    {
        DigitSums sums = none();
        sums.add(q, digits);
        return sums;
    }

    /// Adds q times four digits. In assembly: Highway does not ask the compiler for this instruction, though its target
    /// implies it.
    HWY_INLINE void add(const Columns &q, const std::int8_t *digits)
    {
        asm("vpdpbusd %2%{1to16%}, %1, %0"
            : "+v"(slice[0].raw)
            : "v"(q.slice[0].raw), "m"(*reinterpret_cast<const std::int32_t *>(digits)));
    }
};

/// How many columns may be added by fours before together().
template <class Panel>
constexpr int kMostColumns = Panel::kGroup;

/// What the sums of three digits stand for.
HWY_INLINE hn::Vec<Sums> together(const DigitSums (&sums)[kDigits], int slice)
{
    const auto upper = hn::Add(hn::ShiftLeft<kDigitBits>(sums[0].slice[slice]), sums[1].slice[slice]);
    return hn::Add(hn::ShiftLeft<kDigitBits>(upper), sums[2].slice[slice]);
}

#else

/// Integers times one digit of x, summed over columns, even and odd ones apart.
struct DigitSums {
    using Lanes16 = hn::FixedTag<std::int16_t, 2 * kRows>;
    hn::Vec<Lanes16> slice[kSlices];

    /// q times four digits. In assembly, like add(): GCC would sum up in another order, for which it needs more registers
    /// than there are.
    static HWY_INLINE DigitSums of(const Columns &q, const std::int8_t *digits)
    {
        const auto &four = *reinterpret_cast<const std::int32_t *>(digits);
        DigitSums sums;
#if HWY_TARGET <= HWY_AVX3
        asm("vpbroadcastd %2, %0\n\t"
            "vpmaddubsw %0, %1, %0"
            : "=&v"(sums.slice[0].raw)
            : "v"(q.slice[0].raw), "m"(four));
#else
        asm("vpbroadcastd %4, %1\n\t"
            "vpmaddubsw %1, %2, %0\n\t"
            "vpmaddubsw %1, %3, %1"
            : "=&x"(sums.slice[0].raw), "=&x"(sums.slice[1].raw)
            : "x"(q.slice[0].raw), "x"(q.slice[1].raw), "m"(four));
#endif
        return sums;
    }

    HWY_INLINE void add(const Columns &q, const std::int8_t *digits)
    {
        const auto &four = *reinterpret_cast<const std::int32_t *>(digits);
        hn::Vec<Lanes16> x;
#if HWY_TARGET <= HWY_AVX3
        asm("vpbroadcastd %3, %1\n\t"
            "vpmaddubsw %1, %2, %1\n\t"
            "vpaddw %1, %0, %0"
            : "+v"(slice[0].raw), "=&v"(x.raw)
            : "v"(q.slice[0].raw), "m"(four));
#else
        hn::Vec<Lanes16> products;
        asm("vpbroadcastd %6, %2\n\t"
            "vpmaddubsw %2, %4, %3\n\t"
            "vpmaddubsw %2, %5, %2\n\t"
            "vpaddw %3, %0, %0\n\t"
            "vpaddw %2, %1, %1"
            : "+x"(slice[0].raw), "+x"(slice[1].raw), "=&x"(x.raw), "=&x"(products.raw)
            : "x"(q.slice[0].raw), "x"(q.slice[1].raw), "m"(four));
#endif
    }

    /// Even and odd columns times `factor`.
    HWY_INLINE hn::Vec<Sums> times(int index, std::int16_t factor) const
    {
        const auto factors = hn::Set(Lanes16(), factor);
#if HWY_TARGET <= HWY_AVX3
        return hn::Vec<Sums>{_mm512_madd_epi16(slice[index].raw, factors.raw)};
#else
        return hn::Vec<Sums>{_mm256_madd_epi16(slice[index].raw, factors.raw)};
#endif
    }
};

/// How many columns may be added by fours before together(): as many as 16 bits have room for.
template <class Panel>
constexpr int kMostColumns = 4 * HWY_MIN(Panel::kGroup / 4, 32767 / (2 * Panel::kRaisedMost * kFirstDigit));

/// What the sums of three digits stand for.
HWY_INLINE hn::Vec<Sums> together(const DigitSums (&sums)[kDigits], int slice)
{
    return hn::Add(hn::Add(sums[0].times(slice, 1 << 2 * kDigitBits), sums[1].times(slice, 1 << kDigitBits)),
                   sums[2].times(slice, 1));
}

#endif

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
#endif
