#include "tensor/dtype.h"

#include <array>

namespace lens {

namespace {

struct TypeRow {
    DType type;
    std::string_view name;
    BlockLayout layout;
};

constexpr std::array kTypes{
    TypeRow{DType::F64, "F64", {1, 8}},       TypeRow{DType::F32, "F32", {1, 4}},
    TypeRow{DType::F16, "F16", {1, 2}},       TypeRow{DType::BF16, "BF16", {1, 2}},
    TypeRow{DType::I64, "I64", {1, 8}},       TypeRow{DType::I32, "I32", {1, 4}},
    TypeRow{DType::I16, "I16", {1, 2}},       TypeRow{DType::I8, "I8", {1, 1}},
    TypeRow{DType::U8, "U8", {1, 1}},         TypeRow{DType::Bool, "BOOL", {1, 1}},
    TypeRow{DType::F8E4M3, "F8_E4M3", {1, 1}}, TypeRow{DType::F8E5M2, "F8_E5M2", {1, 1}},
    TypeRow{DType::Q4_0, "Q4_0", {32, 18}},   TypeRow{DType::Q4_1, "Q4_1", {32, 20}},
    TypeRow{DType::Q5_0, "Q5_0", {32, 22}},   TypeRow{DType::Q5_1, "Q5_1", {32, 24}},
    TypeRow{DType::Q8_0, "Q8_0", {32, 34}},   TypeRow{DType::Q4_K, "Q4_K", {256, 144}},
    TypeRow{DType::Q5_K, "Q5_K", {256, 176}}, TypeRow{DType::Q6_K, "Q6_K", {256, 210}},
};

const TypeRow &row(DType type)
{
    const TypeRow &found = kTypes[static_cast<std::size_t>(type)];
    return found;
}

static_assert([] {
    for (std::size_t i = 0; i < kTypes.size(); ++i)
        if (static_cast<std::size_t>(kTypes[i].type) != i)
            return false;
    return true;
}(), "kTypes must follow the order of DType");

struct ComputeRow {
    ComputeType type;
    std::string_view name;
};

constexpr std::array kComputeTypes{
    ComputeRow{ComputeType::Auto, "auto"},
    ComputeRow{ComputeType::Float32, "float32"},
    ComputeRow{ComputeType::BFloat16, "bfloat16"},
    ComputeRow{ComputeType::Float16, "float16"},
    ComputeRow{ComputeType::Int8, "int8"},
    ComputeRow{ComputeType::Int4, "int4"},
};

} // namespace

std::string_view name(DType type)
{
    return row(type).name;
}

BlockLayout blockLayout(DType type)
{
    return row(type).layout;
}

bool isQuantised(DType type)
{
    return row(type).layout.elements > 1;
}

Result<ComputeType> parseComputeType(std::string_view text)
{
    for (const ComputeRow &candidate : kComputeTypes)
        if (candidate.name == text)
            return candidate.type;
    return fail(ErrorCode::InvalidArgument, "unknown dtype \"" + std::string(text) + "\"", {},
                "use auto, float32, bfloat16, float16, int8 or int4");
}

std::optional<DType> blocksOf(ComputeType type)
{
    return type == ComputeType::Int8   ? std::optional(DType::Q8_0)
           : type == ComputeType::Int4 ? std::optional(DType::Q4_1)
                                       : std::nullopt;
}

std::string_view name(ComputeType type)
{
    return kComputeTypes[static_cast<std::size_t>(type)].name;
}

} // namespace lens
