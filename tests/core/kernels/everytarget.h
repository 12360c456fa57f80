// For tests of kernels: the same check for every instruction set of this machine.
#pragma once

#include <QTest>
#include <functional>
#include <hwy/highway.h>

/// Stops at the first that fails, and names it.
inline void onEveryTarget(const std::function<void()> &check)
{
    for (std::int64_t targets = hwy::SupportedTargets(); targets != 0; targets &= targets - 1) {
        hwy::SetSupportedTargetsForTest(targets & -targets);
        check();
        const bool failed = QTest::currentTestFailed();
        hwy::SetSupportedTargetsForTest(0);
        if (failed)
            QFAIL(hwy::TargetName(targets & -targets));
    }
}
