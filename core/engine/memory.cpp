#include "engine/memory.h"

#include "engine/engine.h"
#include "engine/generation.h"
#include "tensor/device.h"
#include "tensor/torchbridge.h"

#include <algorithm>
#include <limits>

namespace lens {

namespace {

/// Activations while a chunk of a prompt is read: a few copies of the widest rows, and attention scores.
std::uint64_t workingBytes(const ModelInfo &info, std::uint64_t element)
{
    constexpr auto chunk = static_cast<std::int64_t>(Generation::prefillChunk);
    const std::int64_t rows = chunk * (6 * info.hiddenSize + 3 * info.feedForward);
    const std::int64_t scores = 2 * info.heads * chunk * std::max(chunk, info.isRecurrent() ? chunk : info.trainedContext);
    return static_cast<std::uint64_t>(rows) * element + static_cast<std::uint64_t>(scores + info.vocabulary) * sizeof(float);
}

} // namespace

std::uint64_t freeMemory(const std::string &device)
{
    for (const DeviceInfo &info : availableDevices())
        if (toString(info.device) == device)
            return info.availableMemory;
    return 0;
}

std::int64_t mostTokensInMemory(const ModelInfo &info, std::int64_t held)
{
    const std::uint64_t available = info.isRecurrent() ? 0 : freeMemory(info.device);
    if (available == 0)
        return std::numeric_limits<std::int64_t>::max();
    // A growing cache is copied into a larger one, and snapshots and activations want room too: a third is for it.
    return held + static_cast<std::int64_t>(available / 3 / info.kvBytesPerToken);
}

Result<MemoryEstimate> estimateMemory(const ModelInfo &info, const LoadOptions &options)
{
    return guarded(info.name, [&]() -> Result<MemoryEstimate> {
        const auto choice = chooseDevice(options.device);
        if (!choice)
            return propagate(choice);
        const auto type = parseComputeType(options.dtype);
        if (!type)
            return propagate(type);
        const std::uint64_t element = c10::elementSize(toTorch(*type, choice->device));
        const std::int64_t context = info.trainedContext > 0 ? info.trainedContext : 2048;

        MemoryEstimate estimate;
        estimate.weights = info.parameters * element;
        if (const auto blocks = blocksOf(*type))
            estimate.weights = info.parameters * static_cast<std::uint64_t>(blockLayout(*blocks).bytes)
                               / static_cast<std::uint64_t>(blockLayout(*blocks).elements);
        // Recurrent states are float32 in any dtype. Before loading, the KV figure of `info` is that of float32.
        const std::uint64_t kv = info.dtype.empty() ? info.kvBytesPerToken * element / sizeof(float) : info.kvBytesPerToken;
        estimate.stateAtContext = info.stateBytes + kv * static_cast<std::uint64_t>(context);
        estimate.working = workingBytes(info, element);
        estimate.available = freeMemory(toString(choice->device));
        return estimate;
    });
}

} // namespace lens
