// What a mixer does with one token and one head: the steps of decoding.
#pragma once

#include "kernels/number.h"

namespace lens::kernels {

/// Softmax attention of one query over the rows of a cache: out [dv] = sum_t softmax_t(scale q.k_t) v_t.
/// q [dk], keys [tokens,dk], values [tokens,dv], scores [tokens] as working memory.
void attend(std::int64_t tokens, std::int64_t dk, std::int64_t dv, const float *q, const float *keys, const float *values,
            float scale, float *scores, float *out);
void attend(std::int64_t tokens, std::int64_t dk, std::int64_t dv, const float *q, const BFloat16 *keys, const BFloat16 *values,
            float scale, float *scores, float *out);

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
