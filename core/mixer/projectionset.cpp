#include "mixer/projectionset.h"

namespace lens {

std::string_view name(MixerKind kind)
{
    switch (kind) {
    case MixerKind::Softmax: return "softmax";
    case MixerKind::Supra: return "supra";
    case MixerKind::T2r: return "t2r";
    case MixerKind::Linear: return "linear";
    }
    return "softmax";
}

at::Tensor repeatHeads(const at::Tensor &x, std::int64_t heads)
{
    return x.size(2) == heads ? x : x.repeat_interleave(heads / x.size(2), 2);
}

at::Tensor normAcrossHeads(const Norm &norm, const at::Tensor &x)
{
    return norm(x.flatten(2)).unflatten(2, {x.size(2), x.size(3)});
}

} // namespace lens
