// How much memory tensors take on the CPU, exactly: what the allocator hands out on this thread.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

namespace lens::test {

class MemoryMeter : public c10::MemoryReportingInfoBase {
public:
    void reportMemoryUsage(void *, std::int64_t bytes, std::size_t, std::size_t, c10::Device) override
    {
        m_now += bytes;
        m_peak = std::max(m_peak, m_now);
    }
    bool memoryProfilingEnabled() const override { return true; }
    std::int64_t peak() const { return m_peak; }

private:
    std::int64_t m_now = 0;
    std::int64_t m_peak = 0;
};

/// The largest number of bytes that were allocated at one time during f(), above what was before.
template <class F>
std::int64_t peakBytes(F &&f)
{
    const auto meter = std::make_shared<MemoryMeter>();
    const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, meter);
    f();
    return meter->peak();
}

} // namespace lens::test
