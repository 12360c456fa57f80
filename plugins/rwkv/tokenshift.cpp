#include "tokenshift.h"

namespace lens::rwkv {

TokenShift::TokenShift(const at::Tensor &x, at::Tensor &last)
{
    const std::int64_t tokens = x.size(1);
    previous = last.to(x.scalar_type()).unsqueeze(1);
    if (tokens > 1)
        previous = at::cat({previous, x.narrow(1, 0, tokens - 1)}, 1);
    change = x - previous;
    last = x.select(1, tokens - 1).to(at::kFloat, false, true);
}

} // namespace lens::rwkv
