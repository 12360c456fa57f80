// One token through a decoder on the CPU: the numbers of Decoder::forward() up to rounding, without torch's dispatch and
// without allocations. The plain path remains for everything else, and is what this one is tested against.
#pragma once

#include "base/threadteam.h"
#include "model/decoder.h"

#include <memory>
#include <span>
#include <vector>

namespace lens {

/// Belongs to one sequence, and to one thread at a time: it has working memory and helpers of its own.
class DecodeStep {
public:
    /// Null where there is no such path: another device, or weights in another type than float32 and bfloat16.
    /// May throw c10::Error: call it inside guarded().
    static std::unique_ptr<DecodeStep> create(std::shared_ptr<const Decoder> decoder, int threads);

    ~DecodeStep();

    /// Whether a probe wants nothing but what this path can offer (state norms) at this position.
    bool satisfies(const ProbeSink *probe, std::int64_t position) const;

    /// Advances `state` (of one sequence) by a token, 0 <= token < vocabulary. Returns the logits [V], valid until the next
    /// call; empty ones when they are not wanted. What `probe` throws leaves some layers advanced, as a broken-off
    /// Decoder::forward() does.
    std::span<const float> run(std::int64_t token, ModelState &state, ProbeSink *probe, bool wantLogits);

private:
    class Plan;

    DecodeStep(std::shared_ptr<const Decoder> decoder, std::unique_ptr<Plan> plan, int threads);

    std::shared_ptr<const Decoder> m_decoder;  // whose memory the plan points to
    std::unique_ptr<Plan> m_plan;
    ThreadTeam m_team;
};

} // namespace lens
