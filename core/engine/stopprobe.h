// Ends a forward pass between two layers when a stop is requested: models ask a probe before each layer's work.
#pragma once

#include "probe/probesink.h"

#include <stop_token>
#include <utility>

namespace lens {

class StopProbe : public ProbeSink {
public:
    /// Thrown through the model; caught by whoever called forward(), never seen outside core.
    struct Stopped {};

    explicit StopProbe(std::stop_token stop) : m_stop(std::move(stop)) {}

    bool wants(ProbeKind kind, std::int64_t layer) const final
    {
        if (m_stop.stop_requested())
            throw Stopped{};
        return wantsValue(kind, layer);
    }

    void offer(ProbeKind, std::int64_t, const at::Tensor &) override {}

private:
    virtual bool wantsValue(ProbeKind, std::int64_t) const { return false; }

    std::stop_token m_stop;
};

} // namespace lens
