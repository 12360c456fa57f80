#include "mixer/reference/plainforms.h"

#include "mixer/linearforms.h"

namespace lens::reference {

at::Tensor impliedAttention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &logGamma)
{
    return at::matmul(q, k.transpose(-1, -2)) * decayMask(logGamma, q.size(2));
}

at::Tensor parallel(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &logGamma, at::Tensor &S)
{
    return attendChunk(q, k, v, logGamma, S);
}

at::Tensor recurrent(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &logGamma, at::Tensor &S)
{
    const at::Tensor gamma = logGamma.exp().view({1, -1, 1, 1});
    std::vector<at::Tensor> outputs;
    for (std::int64_t t = 0; t < q.size(2); ++t) {
        S = gamma * S + at::matmul(k.narrow(2, t, 1).transpose(-1, -2), v.narrow(2, t, 1));
        outputs.push_back(at::matmul(q.narrow(2, t, 1), S));
    }
    return at::cat(outputs, 2);
}

at::Tensor softmaxAttention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &visible, double scale)
{
    const at::Tensor scores = at::matmul(q, k.transpose(-1, -2)) * scale;
    return at::softmax(scores.masked_fill(visible.bitwise_not(), -std::numeric_limits<double>::infinity()), -1, at::kFloat);
}

at::Tensor causalMask(std::int64_t tokens, std::int64_t keys, std::int64_t window, const at::Device &device)
{
    const auto options = at::TensorOptions().dtype(at::kLong).device(device);
    const at::Tensor distance = at::arange(keys - tokens, keys, options).unsqueeze(1) - at::arange(keys, options).unsqueeze(0);
    at::Tensor visible = distance >= 0;
    if (window > 0)
        visible = visible.bitwise_and(distance < window);
    return visible;
}

} // namespace lens::reference
