// What is measured beside the loss: perplexity on held-out text, and how close each layer is to the softmax original.
#pragma once

#include "corpus/packedcorpus.h"
#include "model/decoder.h"
#include "uptrain/metrics.h"

#include <stop_token>

namespace lens {

/// Held-out sequences as batches.
class HeldOut {
public:
    /// At most `tokens` tokens of it, in rows of `sequenceLength`.
    HeldOut(const PackedCorpus &corpus, std::int64_t sequenceLength, std::int64_t tokens);

    std::int64_t batches() const { return static_cast<std::int64_t>(m_batches.size()); }
    const at::Tensor &batch(std::int64_t index) const { return m_batches[static_cast<std::size_t>(index)]; }  ///< [B,T+1]

private:
    std::vector<at::Tensor> m_batches;
};

struct HeldOutScore {
    double meanNll = 0;  ///< nats a token
    std::int64_t tokens = 0;
};

Result<HeldOutScore> scoreHeldOut(const Decoder &model, const HeldOut &heldOut, std::stop_token stop);

/// On the first held-out batch; `original` may be null or of other sizes, then only activations are measured.
Result<LayerMetrics> measureLayers(const Decoder &model, const Decoder *original, const HeldOut &heldOut);

} // namespace lens
