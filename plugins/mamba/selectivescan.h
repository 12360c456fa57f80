// The selective state-space recurrence of Mamba-1 (Gu and Dao, arXiv 2312.00752, section 3), in float32:
//
//   S_t[c,n] = exp(dt_t[c] A[c,n]) S_{t-1}[c,n] + dt_t[c] B_t[n] x_t[c],    y_t[c] = sum_n C_t[n] S_t[c,n]
//
// c counts channels, n the states of a channel; A < 0 < dt, so every decay lies in (0,1]. Only products of decays are
// formed, never quotients: nothing overflows, and what underflows is forgotten.
#pragma once

#include <ATen/ATen.h>

#include <functional>

namespace lens::mamba {

struct ScanInput {
    at::Tensor x;    ///< [B,T,C], after the convolution
    at::Tensor dt;   ///< [B,T,C]
    at::Tensor in;   ///< [B,T,S], the paper's B
    at::Tensor out;  ///< [B,T,S], the paper's C

    std::int64_t tokens() const { return x.size(1); }
    ScanInput slice(std::int64_t from, std::int64_t count) const;
};

struct ScanResult {
    at::Tensor y;       ///< [B,T,C]
    at::Tensor states;  ///< [B,T,C,S], S_t after each token
};

/// exp(dt A) [B,T,C,S] for dt [B,T,C], A [C,S].
at::Tensor decays(const at::Tensor &dt, const at::Tensor &A);

/// All tokens from `initial` [B,C,S] on. The sequence is cut into `blocks` parts of equal length that advance side by
/// side from zero; what each should have begun with is then carried through it by the products of its decays. One
/// block is the least work, several are fewer and larger steps. Memory: a few tensors of B*T*C*S.
ScanResult scan(const ScanInput &input, const at::Tensor &A, const at::Tensor &initial, std::int64_t blocks);

/// The read-out is linear in past x, channel by channel: y_i[c] = sum_j M^c_ij x_j[c] with, for j <= i,
/// M^c_ij = sum_n C_i[n] exp(A[c,n] (dt_{j+1}[c] + ... + dt_i[c])) dt_j[c] B_j[n] (Ali, Zimerman and Wolf, "The Hidden
/// Attention of Mamba Models", arXiv 2403.01590). Gives the mean of M^c over each group of neighbouring channels,
/// [B,C/group,T,T], zero above the diagonal. `proceed` is called between steps and may throw.
at::Tensor impliedAttention(const ScanInput &input, const at::Tensor &A, std::int64_t group,
                            const std::function<void()> &proceed);

} // namespace lens::mamba
