// Attention written the way the papers write it: whole matrices, or one token after the other. Slow and plain; the
// oracle of the fast forms, the source of the matrices that the attention view draws, and `--mode recurrent`.
//
// Shapes: q, k [B,H,T,dk] with the key scale already in k, v [B,H,T,dv], logGamma [H] <= 0, S [B,H,dk,dv]; float32.
#pragma once

#include <ATen/ATen.h>

namespace lens::reference {

/// A_ij = gamma^(i-j) q_i . k_j for j <= i, else 0: [B,H,T,T]. SUPRA, arXiv 2405.06640; supposes S_0 = 0.
at::Tensor impliedAttention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &logGamma);

/// O = A V plus what the entering state S contributes; S becomes the state after the last token.
at::Tensor parallel(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &logGamma, at::Tensor &S);

/// S_t = gamma S_{t-1} + k_t v_t^T; o_t = S_t^T q_t.
at::Tensor recurrent(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &logGamma, at::Tensor &S);

/// softmax(scale q k^T + mask) [B,H,T,S]; `visible` [T,S] is true where a query may look.
at::Tensor softmaxAttention(const at::Tensor &q, const at::Tensor &k, const at::Tensor &visible, double scale);

/// Which of `keys` keys each of `tokens` queries sees, the last query sitting on the last key: 0 <= i - j, and
/// i - j < window where window > 0.
at::Tensor causalMask(std::int64_t tokens, std::int64_t keys, std::int64_t window, const at::Device &device);

} // namespace lens::reference
