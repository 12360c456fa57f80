// Softmax attention of many tokens at once, as prompts have it.
#pragma once

#include "kernels/number.h"

namespace lens::kernels {

/// Consecutive tokens of one sequence, and the query heads that share a head of the cache. Each token sees the cache up
/// to and including itself, or only the last `window` tokens of that. Strides count numbers.
struct PromptAttention {
    std::int64_t tokens, heads;
    std::int64_t dk, dv;
    std::int64_t before;                       ///< tokens in the cache before the first of these
    std::int64_t window;                       ///< 0 for all
    std::int64_t queryToken, queryHead;        ///< strides of q
    std::int64_t outToken, outHead;            ///< strides of out
    float scale;
};

/// Numbers that attendMany() needs room for.
std::int64_t scratchOf(const PromptAttention &shape);

/// out[t,h] = sum_s softmax_s(scale q[t,h].k_s) v_s over the tokens s that t sees. Goes through the cache in blocks and
/// keeps running sums (FlashAttention, arXiv 2205.14135): no matrix of all tokens by all tokens. keys [before + tokens,
/// dk], values [before + tokens, dv], rows one behind the other.
void attendMany(const PromptAttention &shape, const float *q, const float *keys, const float *values, float *scratch,
                float *out);
void attendMany(const PromptAttention &shape, const BFloat16 *q, const BFloat16 *keys, const BFloat16 *values,
                float *scratch, BFloat16 *out);

} // namespace lens::kernels
