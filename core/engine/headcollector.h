// Gathers one quantity per token, layer and head that a forward pass offers, into frames for the views.
#pragma once

#include "model/modelinfo.h"
#include "probe/frames.h"
#include "probe/probesink.h"

#include <functional>

namespace lens {

class HeadCollector {
public:
    HeadCollector(HeadQuantity quantity, const ModelInfo &info, std::function<void(const HeadFrame &)> deliver);

    bool wants(ProbeKind kind, std::int64_t layer) const;

    /// `value` is [B,H,T]; batch row 0 is kept.
    void offer(std::int64_t layer, const at::Tensor &value);

    /// The forward pass over `tokens` tokens from `first` begins; dropped again by discard() if it fails.
    void begin(std::int64_t first, std::int64_t tokens);
    void discard();

    /// Hands what was collected on when `now`, or when a tenth of a second has passed or some tokens have gathered.
    void deliver(bool now);

private:
    HeadQuantity m_quantity;
    std::vector<bool> m_recurrent;  ///< per layer
    std::int64_t m_heads;
    std::function<void(const HeadFrame &)> m_deliver;
    HeadFrame m_frame;          ///< not yet handed on
    std::int64_t m_current = 0;      ///< tokens of m_frame that belong to the pass under way
    double m_lastDelivery = 0;
};

} // namespace lens
