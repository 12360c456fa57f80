// Measurements as plain, columnar data: what views draw and the store keeps. Layers, heads and tokens count from 0;
// tokens are positions in the column's whole sequence, prompt included.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lens {

enum class HeadQuantity {
    StateNorm,  ///< Frobenius norm of a head's recurrent state after each token; NaN for softmax layers
    Retention,  ///< share of that norm which each token's decay left; see ProbeKind::Retention
};

/// One number per token, layer and head: values[(token * layers + layer) * heads + head], NaN where there is none.
struct HeadFrame {
    std::int64_t firstToken = 0;
    std::int64_t tokens = 0;
    std::int64_t layers = 0;
    std::int64_t heads = 0;
    std::vector<float> values;
    HeadQuantity quantity = HeadQuantity::StateNorm;
};

/// Rows x columns, row-major.
struct Matrix {
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    std::vector<float> values;

    float at(std::int64_t row, std::int64_t column) const { return values[row * columns + column]; }
    bool empty() const { return values.empty(); }
};

/// How rows of a signed implied matrix are scaled before it is set beside softmax probabilities.
enum class RowScaling {
    None,          ///< as the mixer computes it
    AbsoluteSum,   ///< each row divided by the sum of its absolute values (never close to zero)
    SumMagnitude,  ///< each row divided by |its sum|, the paper's choice (appendix A)
};

/// One head's attention over a text, in the layer's own terms.
struct HeadAttention {
    std::int64_t layer = 0;
    std::int64_t head = 0;
    std::string mixer;  ///< "softmax": probabilities; "supra" etc.: the implied signed matrix, decay included
    Matrix weights;     ///< [T, T], row = query token
};

/// Per layer x head summary of one model's attention on a text; values[layer * heads + head].
struct AttentionSummary {
    std::int64_t layers = 0;
    std::int64_t heads = 0;
    std::vector<float> meanDistance;  ///< mean over queries of sum_j p_ij (i - j), p = |A| with rows summing to 1; tokens
    std::vector<float> entropy;       ///< mean over queries of the entropy of p_i, bits
    std::vector<float> zeroFeatures;  ///< share of zero phi(k) entries; NaN for softmax
};

/// How far the second model's matrices are from the first's, per layer x head; empty when the shapes do not match.
struct AttentionErrors {
    std::int64_t layers = 0;
    std::int64_t heads = 0;
    std::vector<float> frobenius;  ///< ||A - B||_F / ||A||_F
    std::vector<float> cosine;     ///< 1 - <A, B> / (||A||_F ||B||_F)
};

/// Two models forced through the same tokens. Position t speaks of the prediction of token t + 1.
struct ForcedComparison {
    std::vector<float> kl;       ///< KL(first || second), nats; size T - 1
    std::vector<float> nllFirst, nllSecond;
    std::vector<std::uint8_t> sameTop;  ///< 1 where the most probable tokens agree
};

} // namespace lens
