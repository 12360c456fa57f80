#include "checkpoint/checkpoint.h"

#include "base/hash.h"
#include "tensor/torchbridge.h"

#include <algorithm>

namespace lens {

namespace {

constexpr std::size_t kHashedAtOnce = 2u << 20;  // as much of the file is in memory beside its weights

void addHeader(Hasher &hasher, const TensorInfo &info)
{
    std::string text = info.name + '\0' + std::string(name(info.dtype));
    for (const std::int64_t size : info.shape)
        text += ' ' + std::to_string(size);
    hasher.add(text + '\0');
}

} // namespace

std::string_view name(CheckpointFormat format)
{
    switch (format) {
    case CheckpointFormat::HuggingFace: return "Hugging Face";
    case CheckpointFormat::Gguf: return "GGUF";
    case CheckpointFormat::Llama2c: return "llama2.c";
    case CheckpointFormat::OpenLm: return "open_lm";
    }
    return "unknown";
}

Result<std::string> fingerprint(const Checkpoint &checkpoint, std::stop_token stop, const ProgressFn &progress)
{
    std::vector<TensorInfo> infos = checkpoint.tensors();
    std::ranges::sort(infos, {}, &TensorInfo::name);
    Progress state{"hashing weights", 0, 0};
    for (const TensorInfo &info : infos)
        state.total += info.bytes;
    Hasher hasher;
    for (const TensorInfo &info : infos) {
        addHeader(hasher, info);
        const Result<at::Tensor> tensor = checkpoint.load(info.name, info.dtype);
        if (!tensor)
            return propagate(tensor);
        std::span<const std::byte> rest(static_cast<const std::byte *>(tensor->const_data_ptr()), tensor->nbytes());
        while (!rest.empty()) {
            if (stop.stop_requested())
                return fail(ErrorCode::Cancelled, "hashing was cancelled", checkpoint.path().string());
            const std::size_t count = std::min(rest.size(), kHashedAtOnce);
            hasher.add(rest.first(count));
            rest = rest.subspan(count);
            state.done += count;
            if (progress)
                progress(state);
            checkpoint.release(info.name);  // piece by piece, so that nothing of the whole file stays
        }
    }
    return hasher.digest();
}

} // namespace lens
