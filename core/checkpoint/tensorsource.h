// Torch tensors as bytes for the writers.
#pragma once

#include "checkpoint/writer.h"
#include "tensor/dtype.h"

#include <ATen/ATen.h>
#include <optional>
#include <span>

namespace lens {

/// The type the formats call it; nullopt for complex and quantised tensors.
std::optional<DType> storableType(at::ScalarType type);

/// Refuses undefined tensors and types that cannot be stored.
Result<void> checkStorable(const NamedTensors &tensors, const std::string &where);

/// The tensor on the CPU, contiguous; itself if it already is.
at::Tensor ready(const at::Tensor &tensor);

/// The bytes of a tensor that is ready; valid while it lives.
std::span<const std::byte> bytesOf(const at::Tensor &tensor);

std::uint64_t totalBytes(const NamedTensors &tensors);

} // namespace lens
