// RWKV's token shift: every input is mixed with that of the token before.
#pragma once

#include <ATen/ATen.h>

namespace lens::rwkv {

struct TokenShift {
    at::Tensor previous;  ///< [B,T,D]
    at::Tensor change;    ///< x - previous

    /// x [B,T,D] after `last` [B,D], float32, which becomes the last of x.
    TokenShift(const at::Tensor &x, at::Tensor &last);

    /// x * share + previous * (1 - share); share [D].
    at::Tensor mixed(const at::Tensor &share) const { return at::addcmul(previous, change, share); }
};

} // namespace lens::rwkv
