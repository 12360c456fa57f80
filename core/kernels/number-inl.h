// Reading and writing both number types, for each target that Highway compiles.
#if defined(SUPRALENS_NUMBER_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SUPRALENS_NUMBER_INL_H
#undef SUPRALENS_NUMBER_INL_H
#else
#define SUPRALENS_NUMBER_INL_H
#endif

#include "kernels/number.h"

#include <hwy/highway.h>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace lens::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Wide = hn::ScalableTag<float>;
using Single = hn::CappedTag<float, 1>;  // for what is left behind the last whole vector

template <class D>
HWY_INLINE hn::Vec<D> load(D d, const float *from)
{
    return hn::LoadU(d, from);
}

template <class D>
HWY_INLINE hn::Vec<D> load(D d, const BFloat16 *from)
{
    const hn::RebindToUnsigned<D> du;
    const hn::Rebind<std::uint16_t, D> half;
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(du, hn::LoadU(half, reinterpret_cast<const std::uint16_t *>(from)))));
}

/// The bits of the nearest bfloat16, ties to even, in the upper half of each lane; NaN stays NaN.
template <class D>
HWY_INLINE hn::Vec<hn::RebindToUnsigned<D>> nearestBFloat16(D d, hn::Vec<D> x)
{
    const hn::RebindToUnsigned<D> du;
    const auto bits = hn::BitCast(du, x);
    const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1u));
    const auto rounded = hn::BitCast(d, hn::Add(bits, hn::Add(odd, hn::Set(du, 0x7FFFu))));
    return hn::BitCast(du, hn::IfThenElse(hn::IsNaN(x), hn::BitCast(d, hn::Set(du, 0x7FC00000u)), rounded));
}

template <class D>
HWY_INLINE void store(D d, hn::Vec<D> x, float *to)
{
    hn::StoreU(x, d, to);
}

template <class D>
HWY_INLINE void store(D d, hn::Vec<D> x, BFloat16 *to)
{
    const hn::Rebind<std::uint16_t, D> half;
    hn::StoreU(hn::TruncateTo(half, hn::ShiftRight<16>(nearestBFloat16(d, x))), half, reinterpret_cast<std::uint16_t *>(to));
}

/// body(tag, i) for i from 0 to n: whole vectors as long as there are some, then shorter ones, then single numbers.
template <class Body>
HWY_INLINE void sweep(std::int64_t n, const Body &body)
{
    std::int64_t i = 0;
    const auto step = [&](auto d) HWY_ATTR {
        const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
        for (; i + lanes <= n; i += lanes)
            body(d, i);
    };
    step(Wide());
    if constexpr (hn::MaxLanes(Wide()) > 8)
        step(hn::CappedTag<float, 8>());
    if constexpr (hn::MaxLanes(Wide()) > 4)
        step(hn::CappedTag<float, 4>());
    step(Single());
}

/// A sum that sweep() adds to.
class Sum {
public:
    HWY_INLINE Sum() : m_lanes(hn::Zero(Wide())) {}  // an implicit one would be compiled without the target's instructions

    template <class D>
    HWY_INLINE void add(D, hn::Vec<D> x)
    {
        if constexpr (std::is_same_v<D, Wide>)
            m_lanes = hn::Add(m_lanes, x);
        else
            m_rest += hn::GetLane(hn::SumOfLanes(D(), x));
    }

    HWY_INLINE float total() const { return hn::GetLane(hn::SumOfLanes(Wide(), m_lanes)) + m_rest; }

private:
    hn::Vec<Wide> m_lanes;
    float m_rest = 0;
};

class Maximum {
public:
    HWY_INLINE Maximum() : m_lanes(hn::Set(Wide(), kLeast)) {}

    template <class D>
    HWY_INLINE void add(D, hn::Vec<D> x)
    {
        if constexpr (std::is_same_v<D, Wide>)
            m_lanes = hn::Max(m_lanes, x);
        else
            m_rest = HWY_MAX(m_rest, hn::GetLane(hn::MaxOfLanes(D(), x)));
    }

    HWY_INLINE float total() const { return HWY_MAX(hn::GetLane(hn::MaxOfLanes(Wide(), m_lanes)), m_rest); }

private:
    static constexpr float kLeast = -3.4028235e38f;
    hn::Vec<Wide> m_lanes;
    float m_rest = kLeast;
};

#if HWY_TARGET != HWY_SCALAR

/// x has four lanes, or several times four.
template <class D>
HWY_INLINE hn::Vec<hn::FixedTag<float, 4>> sumOfFours(D d, hn::Vec<D> x)
{
    if constexpr (hn::MaxLanes(D()) == 4) {
        return x;
    } else {
        const hn::Half<D> half;
        return sumOfFours(half, hn::Add(hn::LowerHalf(half, x), hn::UpperHalf(half, x)));
    }
}

#endif

/// to[i] = factor times the sum of the lanes of x[i].
template <class D>
HWY_INLINE void storeSums([[maybe_unused]] D d, const hn::Vec<D> (&x)[4], float factor, float *to)
{
#if HWY_TARGET == HWY_SCALAR
    for (std::int64_t i = 0; i < 4; ++i)
        to[i] = factor * hn::GetLane(x[i]);
#else
    const hn::Repartition<std::uint64_t, D> pairs;
    const auto ab = hn::BitCast(pairs, hn::Add(hn::InterleaveLower(d, x[0], x[1]), hn::InterleaveUpper(d, x[0], x[1])));
    const auto cd = hn::BitCast(pairs, hn::Add(hn::InterleaveLower(d, x[2], x[3]), hn::InterleaveUpper(d, x[2], x[3])));
    const auto lower = hn::BitCast(d, hn::InterleaveLower(pairs, ab, cd));
    const auto upper = hn::BitCast(d, hn::InterleaveUpper(pairs, ab, cd));
    const hn::FixedTag<float, 4> four;
    hn::StoreU(hn::Mul(sumOfFours(d, hn::Add(lower, upper)), hn::Set(four, factor)), four, to);
#endif
}

} // namespace lens::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
