// Processor time of this process: what an input costs, whatever else the machine is doing.
#pragma once

#include <ctime>

namespace lens::test {

class CpuTimer {
public:
    void start() { m_start = std::clock(); }
    void restart() { start(); }

    /// Milliseconds.
    long long elapsed() const { return static_cast<long long>(std::clock() - m_start) * 1000 / CLOCKS_PER_SEC; }

private:
    std::clock_t m_start = std::clock();
};

} // namespace lens::test
