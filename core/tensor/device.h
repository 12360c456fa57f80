// Where a model runs. No torch here; torchbridge.h has the conversion.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lens {

enum class DeviceKind { Cpu, Cuda, Mps, Meta };

struct Device {
    DeviceKind kind = DeviceKind::Cpu;
    int index = 0;

    bool operator==(const Device &) const = default;
};

/// "cpu", "cuda:1".
std::string toString(const Device &device);

struct DeviceInfo {
    Device device;
    std::string description;             ///< "CPU, 2 threads", "NVIDIA H200"
    std::uint64_t totalMemory = 0;       ///< bytes, 0 when unknown
    std::uint64_t availableMemory = 0;   ///< bytes, 0 when unknown
};

/// Every device that can run a model now, the CPU first.
std::vector<DeviceInfo> availableDevices();

struct DeviceChoice {
    Device device;
    std::string fallbackReason;  ///< why the wish was not met; empty when it was
};

/// "auto", "cpu", "cuda", "cuda:N", "mps", "meta". "auto" takes a GPU where there is one. A GPU asked for by name
/// but absent is an error (ErrorCode::Device).
Result<DeviceChoice> chooseDevice(std::string_view wish);

/// Threads LibTorch may use for one operation; 0 restores the default (all cores). Call before loading models.
void setThreadCount(int threads);
int threadCount();

/// Loads the CUDA libraries if they are installed. Must run before anything asks LibTorch about CUDA, since LibTorch
/// remembers its first answer. Returns what happened, for the log.
std::string openAccelerators();

} // namespace lens
