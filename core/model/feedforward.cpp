#include "model/feedforward.h"

namespace lens {

at::Tensor FeedForward::operator()(const at::Tensor &x) const
{
    switch (kind) {
    case FeedForwardConfig::Kind::SwiGlu: return down(at::silu(gate(x)) * up(x));
    case FeedForwardConfig::Kind::GeGlu: return down(at::gelu(gate(x)) * up(x));
    case FeedForwardConfig::Kind::Gelu: return down(at::gelu(up(x)));
    }
    return x;
}

} // namespace lens
