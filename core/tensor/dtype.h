// Element types of stored tensors: the plain ones and GGUF's quantised blocks. No torch here.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace lens {

enum class DType {
    F64, F32, F16, BF16, I64, I32, I16, I8, U8, Bool, F8E4M3, F8E5M2,
    Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K,
};

/// Name as the formats write it: "F32", "BF16", "Q4_K".
std::string_view name(DType type);

struct BlockLayout {
    std::int64_t elements;  ///< 1 for plain types
    std::int64_t bytes;
};

BlockLayout blockLayout(DType type);
bool isQuantised(DType type);

/// What to compute in. Auto: float32 on the CPU, bfloat16 on a GPU. The recurrent state stays float32 throughout. Int8 and
/// Int4: float32 too, but matrices become quantised blocks when they are loaded, on the CPU.
enum class ComputeType { Auto, Float32, BFloat16, Float16, Int8, Int4 };

/// The blocks that matrices become; nothing for the others.
std::optional<DType> blocksOf(ComputeType type);

/// "auto", "float32", "bfloat16", "float16", "int8", "int4".
Result<ComputeType> parseComputeType(std::string_view text);
std::string_view name(ComputeType type);

} // namespace lens
