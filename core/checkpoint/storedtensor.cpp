#include "checkpoint/storedtensor.h"

#include "tensor/dequantise.h"
#include "tensor/kernelbridge.h"
#include "tensor/mappedtensor.h"
#include "tensor/torchbridge.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace lens {

namespace {

std::span<const std::byte> storedBytes(const StoredTensor &stored)
{
    return stored.file->bytes().subspan(stored.offset, stored.span);
}

at::Tensor view(const StoredTensor &stored, at::ScalarType type, const std::vector<std::int64_t> &shape)
{
    return viewOf(stored.file, stored.offset, type, shape, stored.strides);
}

/// The tensor in its stored, plain type: a view when the address suits the type and the strides are plain.
at::Tensor plain(const StoredTensor &stored)
{
    const std::span<const std::byte> bytes = storedBytes(stored);
    if (stored.info.dtype == DType::Bool) // a stray byte value other than 0 and 1 would be undefined as bool
        return view(stored, at::kByte, stored.info.shape).ne(0);
    const at::ScalarType type = toTorch(stored.info.dtype);
    const auto element = static_cast<std::uint64_t>(blockLayout(stored.info.dtype).bytes);
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % element == 0)
        return view(stored, type, stored.info.shape).contiguous();
    at::Tensor copy = at::empty({static_cast<std::int64_t>(bytes.size() / element)}, at::TensorOptions().dtype(type));
    std::copy(bytes.begin(), bytes.end(), static_cast<std::byte *>(copy.data_ptr()));
    return stored.strides.empty() ? copy.view(stored.info.shape)
                                  : copy.as_strided(stored.info.shape, stored.strides).contiguous();
}

at::Tensor blocksAsBytes(const StoredTensor &stored)
{
    const BlockLayout layout = blockLayout(stored.info.dtype);
    std::vector<std::int64_t> shape = stored.info.shape;
    shape.back() = shape.back() / layout.elements * layout.bytes;
    return view(stored, at::kByte, shape);
}

at::Tensor dequantisedBlocks(const StoredTensor &stored)
{
    const BlockLayout layout = blockLayout(stored.info.dtype);
    at::Tensor result = at::empty(stored.info.shape, at::TensorOptions().dtype(at::kFloat));
    const std::span<const std::byte> blocks = storedBytes(stored);
    const std::span<float> values(result.data_ptr<float>(), static_cast<std::size_t>(result.numel()));
    inParallel(result.numel() / layout.elements, layout.elements, [&](std::int64_t begin, std::int64_t end) {
        const auto count = static_cast<std::size_t>(end - begin);
        dequantise(stored.info.dtype, blocks.subspan(begin * layout.bytes, count * layout.bytes),
                   values.subspan(begin * layout.elements, count * layout.elements));
    });
    return result;
}

/// llama2.c version 2: each value times the scale of its group.
at::Tensor dequantisedGroups(const StoredTensor &stored)
{
    at::Tensor result = at::empty(stored.info.shape, at::TensorOptions().dtype(at::kFloat));
    const auto *quants = reinterpret_cast<const std::int8_t *>(storedBytes(stored).data());
    const std::byte *scales = stored.file->bytes().data() + stored.scalesOffset;
    auto *values = result.data_ptr<float>();
    for (std::int64_t i = 0; i < result.numel(); ++i) {
        float scale = 0;
        std::memcpy(&scale, scales + i / stored.groupSize * static_cast<std::int64_t>(sizeof scale), sizeof scale);
        values[i] = static_cast<float>(quants[i]) * scale;
    }
    return result;
}

at::Tensor floats(const StoredTensor &stored)
{
    if (isQuantised(stored.info.dtype))
        return dequantisedBlocks(stored);
    return stored.groupSize > 0 ? dequantisedGroups(stored) : plain(stored);
}

} // namespace

std::optional<std::uint64_t> bytesFor(DType type, std::span<const std::int64_t> shape)
{
    const BlockLayout layout = blockLayout(type);
    if (layout.elements > 1 && (shape.empty() || shape.back() % layout.elements != 0))
        return std::nullopt;
    constexpr std::int64_t limit = std::numeric_limits<std::int64_t>::max() / 256;
    std::int64_t elements = 1;
    for (const std::int64_t size : shape)
        if (size < 0 || __builtin_mul_overflow(elements, size, &elements) || elements > limit)
            return std::nullopt;
    return static_cast<std::uint64_t>(elements / layout.elements * layout.bytes);
}

Result<at::Tensor> loadStored(const StoredTensor &stored, DType type)
{
    const std::string where = whereIs(stored.file->path(), stored.info.name);
    if (const Result<void> unchanged = stored.file->checkUnchanged(); !unchanged)
        return propagate(unchanged);
    return guarded(where, [&]() -> Result<at::Tensor> {
        if (type == stored.info.dtype)
            return isQuantised(type) ? blocksAsBytes(stored) : plain(stored);
        if (isQuantised(type))
            return fail(ErrorCode::Unsupported,
                        "the tensor is stored as " + std::string(name(stored.info.dtype)) +
                            " and cannot be quantised to " + std::string(name(type)),
                        where, "ask for a plain type");
        return floats(stored).to(toTorch(type));
    });
}

std::string whereIs(const std::filesystem::path &file, std::string_view tensor)
{
    return file.string() + ", tensor \"" + std::string(tensor) + "\"";
}

Result<void> refuseOverlaps(std::span<const StoredTensor> tensors)
{
    std::vector<const StoredTensor *> byOffset;
    byOffset.reserve(tensors.size());
    for (const StoredTensor &tensor : tensors)
        if (tensor.span > 0)
            byOffset.push_back(&tensor);
    std::ranges::sort(byOffset, {}, &StoredTensor::offset);
    for (std::size_t i = 1; i < byOffset.size(); ++i) {
        const StoredTensor &before = *byOffset[i - 1];
        const StoredTensor &here = *byOffset[i];
        if (here.offset < before.offset + before.span)
            return fail(ErrorCode::Malformed, "its bytes overlap those of tensor \"" + before.info.name + "\"",
                        whereIs(here.file->path(), here.info.name), "download the file again");
    }
    return {};
}

} // namespace lens
