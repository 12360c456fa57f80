// Shared by the tests of malformed files.
#pragma once

#include "checkpoint/checkpoint.h"
#include "support/cputimer.h"

#include <QtTest>

namespace refusals {

constexpr qint64 kQuickMs = 1000;

/// What is wrong with the way `file`, which lies in `folder`, is refused; empty when it is refused as it should be:
/// with this code, naming the place, in words, and quickly.
inline QString problem(const std::filesystem::path &folder, const std::filesystem::path &file, lens::ErrorCode code)
{
    lens::test::CpuTimer timer;
    timer.start();
    const auto checkpoint = lens::openCheckpoint(file);
    if (timer.elapsed() >= kQuickMs)
        return QString("took %1 ms").arg(timer.elapsed());
    if (checkpoint)
        return "was opened";
    const lens::Error &error = checkpoint.error();
    const bool isClear = !error.what.empty() && error.what.size() < 400;
    const bool namesPlace = error.where.find(folder.string()) != std::string::npos;
    return error.code == code && isClear && namesPlace ? QString() : QString::fromStdString(lens::toString(error));
}

/// A test row: the bytes of a file and the code it must be refused with.
inline void row(const char *name, const std::string &bytes, lens::ErrorCode code)
{
    QTest::newRow(name) << QByteArray(bytes.data(), static_cast<qsizetype>(bytes.size())) << static_cast<int>(code);
}

} // namespace refusals
