#include "model/weightfacts.h"

#include <set>

namespace lens {

void addWeightFacts(ModelInfo &info, const NamedTensors &weights, at::ScalarType dtype, const at::Device &device)
{
    info.parameters = 0;
    info.weightBytes = 0;
    std::set<const void *> counted;
    for (const auto &[name, tensor] : weights) {
        if (!counted.insert(tensor.unsafeGetTensorImpl()).second)
            continue;
        info.parameters += static_cast<std::uint64_t>(tensor.numel());
        info.weightBytes += tensor.nbytes();
    }
    info.dtype = dtype == at::kBFloat16 ? "bfloat16" : dtype == at::kHalf ? "float16" : "float32";
    info.device = device.str();
}

} // namespace lens
