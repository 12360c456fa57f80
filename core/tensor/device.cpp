#include "tensor/device.h"

#include "base/folders.h"

#include <ATen/ATen.h>
#include <ATen/DynamicLibrary.h>
#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <thread>

namespace lens {

namespace {

/// /proc/meminfo in bytes; 0 on systems without it.
std::uint64_t memInfo(const std::string &key)
{
    std::ifstream file("/proc/meminfo");
    std::string word;
    std::uint64_t kibibytes = 0;
    while (file >> word) {
        if (word == key + ":" && file >> kibibytes)
            return kibibytes * 1024;
        file.ignore(256, '\n');
    }
    return 0;
}

/// Both 0 where LibTorch cannot tell.
DeviceInfo gpu(int index)
{
    DeviceInfo info{Device{DeviceKind::Cuda, index}, "CUDA GPU " + std::to_string(index), 0, 0};
    try {
        const auto [free, total] = c10::getDeviceAllocator(c10::kCUDA)->getMemoryInfo(static_cast<c10::DeviceIndex>(index));
        info.totalMemory = total;
        info.availableMemory = free;
    } catch (const std::exception &) {
        return info;
    }
    return info;
}

} // namespace

std::string toString(const Device &device)
{
    switch (device.kind) {
    case DeviceKind::Cpu: return "cpu";
    case DeviceKind::Cuda: return "cuda:" + std::to_string(device.index);
    case DeviceKind::Mps: return "mps";
    case DeviceKind::Meta: return "meta";
    }
    return "cpu";
}

std::vector<DeviceInfo> availableDevices()
{
    std::vector<DeviceInfo> devices;
    devices.push_back({Device{}, "CPU, " + std::to_string(threadCount()) + " threads", memInfo("MemTotal"),
                       memInfo("MemAvailable")});
    if (at::hasCUDA())
        for (int i = 0; i < static_cast<int>(at::detail::getCUDAHooks().deviceCount()); ++i)
            devices.push_back(gpu(i));
    if (at::hasMPS())
        devices.push_back({Device{DeviceKind::Mps, 0}, "Apple GPU", 0, 0});
    return devices;
}

Result<DeviceChoice> chooseDevice(std::string_view wish)
{
    const int gpus = at::hasCUDA() ? static_cast<int>(at::detail::getCUDAHooks().deviceCount()) : 0;
    if (wish == "cpu")
        return DeviceChoice{Device{}, {}};
    if (wish == "meta")
        return DeviceChoice{Device{DeviceKind::Meta, 0}, {}};
    if (wish == "auto") {
        if (gpus > 0)
            return DeviceChoice{Device{DeviceKind::Cuda, 0}, {}};
        if (at::hasMPS())
            return DeviceChoice{Device{DeviceKind::Mps, 0}, {}};
        return DeviceChoice{Device{}, "no GPU that LibTorch can use was found"};
    }
    if (wish == "mps") {
        if (at::hasMPS())
            return DeviceChoice{Device{DeviceKind::Mps, 0}, {}};
        return fail(ErrorCode::Device, "there is no Apple GPU here", {}, "use --device cpu");
    }
    if (wish.starts_with("cuda")) {
        int index = 0;
        if (wish.size() > 4) {
            const char *first = wish.data() + 5;
            const char *last = wish.data() + wish.size();
            if (wish[4] != ':' || std::from_chars(first, last, index).ptr != last || first == last || index < 0)
                return fail(ErrorCode::InvalidArgument, "unknown device \"" + std::string(wish) + "\"", {}, "use cuda:N");
        }
        if (index < gpus)
            return DeviceChoice{Device{DeviceKind::Cuda, index}, {}};
        return fail(ErrorCode::Device, "there is no CUDA device " + std::to_string(index) + " here", {},
                    "use --device cpu, or install the CUDA add-on package");
    }
    return fail(ErrorCode::InvalidArgument, "unknown device \"" + std::string(wish) + "\"", {},
                "use auto, cpu, cuda, cuda:N, mps or meta");
}

void setThreadCount(int threads)
{
    at::set_num_threads(threads > 0 ? threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
}

int threadCount()
{
    return at::get_num_threads();
}

std::string openAccelerators()
{
    // The add-on package puts it beside the private LibTorch; a LibTorch of the user's own has it in the search path.
    const std::string name = "libtorch_cuda.so";
    const std::filesystem::path addOn = privateLibraryFolder() / name;
    std::error_code error;
    const bool installed = std::filesystem::exists(addOn, error);
    try {
        // Kept open for the life of the process: its static initialisers register the CUDA kernels.
        constexpr bool stayOpen = true;
        static at::DynamicLibrary cuda(installed ? addOn.c_str() : name.c_str(), nullptr, stayOpen);
        return "CUDA libraries loaded";
    } catch (const std::exception &exception) {
        if (installed)
            return std::string("the CUDA add-on cannot be opened, running on the CPU: ") + exception.what();
        return "no CUDA libraries installed; running on the CPU";
    }
}

} // namespace lens
