// Where a tensor lies in which mapped file, and how it becomes a torch tensor.
#pragma once

#include "checkpoint/checkpoint.h"
#include "tensor/mappedfile.h"

namespace lens {

struct StoredTensor {
    TensorInfo info;
    MappedFilePtr file;
    std::uint64_t offset = 0;          ///< of the first element, from the start of the file
    std::uint64_t span = 0;            ///< bytes from the first element to the end of the last
    std::vector<std::int64_t> strides; ///< in elements; empty when the tensor is contiguous

    /// llama2.c version 2: int8 values in groups of `groupSize`, one float32 scale a group from `scalesOffset` on.
    /// 0 when there are none.
    std::int64_t groupSize = 0;
    std::uint64_t scalesOffset = 0;
};

/// Ranks beyond this are refused: no model needs them, and it bounds what a hostile file can ask for.
inline constexpr std::size_t kMaximumRank = 8;

/// More tensors than this in one file are refused.
inline constexpr std::size_t kMaximumTensors = 100'000;

/// Bytes of a contiguous tensor; nullopt when a size is negative, the product overflows 63 bits, or a row is no whole
/// number of blocks.
std::optional<std::uint64_t> bytesFor(DType type, std::span<const std::int64_t> shape);

/// See Checkpoint::load. A quantised type asked for as itself gives the blocks as U8, [..., bytes per row].
Result<at::Tensor> loadStored(const StoredTensor &stored, DType type);

/// "<file>, tensor \"<name>\"", for errors.
std::string whereIs(const std::filesystem::path &file, std::string_view tensor);

/// Fails with ErrorCode::Malformed when two of the contiguous tensors of one file share a byte.
Result<void> refuseOverlaps(std::span<const StoredTensor> tensors);

} // namespace lens
