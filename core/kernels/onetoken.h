// What a mixer does with one token and one head: the steps of decoding.
#pragma once

#include "kernels/number.h"

namespace lens::kernels {

constexpr std::int64_t kMostAttended = 1024;  // tokens that attend() takes at a time

/// Softmax attention of the queries that share a head of a cache, over some of its rows: out[i] = sum_t softmax_t(s[i]) v_t
/// and logSum[i] = log sum_t exp(s[i,t]), where s[i,t] = scale q[i].k_t. 0 < tokens <= kMostAttended.
/// q [queries,dk], keys [tokens,dk], values [tokens,dv], out [queries,dv], logSum [queries].
void attend(std::int64_t tokens, std::int64_t queries, std::int64_t dk, std::int64_t dv, const float *q, const float *keys,
            const float *values, float scale, float *out, float *logSum);
void attend(std::int64_t tokens, std::int64_t queries, std::int64_t dk, std::int64_t dv, const float *q, const BFloat16 *keys,
            const BFloat16 *values, float scale, float *out, float *logSum);

/// What attend() would give for the tokens of several ranges together, from what it gave for each.
/// outs [ranges,queries,dv], logSums [ranges,queries], out [queries,dv].
void mergeAttention(std::int64_t ranges, std::int64_t queries, std::int64_t dv, const float *outs, const float *logSums, float *out);

/// Linear attention in its recurrent form (arXiv 2006.16236, eq. 18 to 20, with a decay): S = gamma S + k v^T, then
/// out [dv] = q^T S, in one pass over S [dk,dv]. Returns the sum of the squares of S's first `measured` columns.
float advance(std::int64_t dk, std::int64_t dv, float gamma, const float *q, const float *k, const float *v, float *S, float *out,
              std::int64_t measured);

/// y [columns] = x^T W + bias, W [rows,columns] (a feature map's matrix of one head); bias may be null.
void transposedProduct(std::int64_t rows, std::int64_t columns, const float *x, const float *W, const float *bias, float *y);

/// y = x, rounded where y is narrower.
void convert(std::int64_t n, const float *x, float *y);
void convert(std::int64_t n, const float *x, BFloat16 *y);

/// x [n] becomes (x - mean) / sqrt(variance + epsilon): GroupNorm of one head.
void centre(std::int64_t n, float epsilon, float *x);

} // namespace lens::kernels
