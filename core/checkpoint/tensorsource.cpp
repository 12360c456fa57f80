#include "checkpoint/tensorsource.h"

#include "checkpoint/storedtensor.h"

#include <array>

namespace lens {

namespace {

struct TypePair {
    at::ScalarType torch;
    DType stored;
};

constexpr std::array kTypes{
    TypePair{at::kDouble, DType::F64},
    TypePair{at::kFloat, DType::F32},
    TypePair{at::kHalf, DType::F16},
    TypePair{at::kBFloat16, DType::BF16},
    TypePair{at::kLong, DType::I64},
    TypePair{at::kInt, DType::I32},
    TypePair{at::kShort, DType::I16},
    TypePair{at::kChar, DType::I8},
    TypePair{at::kByte, DType::U8},
    TypePair{at::kBool, DType::Bool},
    TypePair{at::kFloat8_e4m3fn, DType::F8E4M3},
    TypePair{at::kFloat8_e5m2, DType::F8E5M2},
};

} // namespace

std::optional<DType> storableType(at::ScalarType type)
{
    for (const TypePair &pair : kTypes)
        if (pair.torch == type)
            return pair.stored;
    return std::nullopt;
}

Result<void> checkStorable(const NamedTensors &tensors, const std::string &where)
{
    if (tensors.empty())
        return fail(ErrorCode::InvalidArgument, "there are no tensors to write", where);
    for (const auto &[name, tensor] : tensors) {
        if (!tensor.defined() || tensor.is_meta() || tensor.layout() != at::kStrided)
            return fail(ErrorCode::InvalidArgument, "the tensor has no values", whereIs(where, name));
        if (!storableType(tensor.scalar_type()))
            return fail(ErrorCode::Unsupported,
                        std::string("no file format here holds ") + c10::toString(tensor.scalar_type()),
                        whereIs(where, name), "convert the tensor first");
    }
    return {};
}

at::Tensor ready(const at::Tensor &tensor)
{
    return tensor.detach().to(at::kCPU).contiguous();
}

std::span<const std::byte> bytesOf(const at::Tensor &tensor)
{
    return {static_cast<const std::byte *>(tensor.const_data_ptr()), tensor.nbytes()};
}

std::uint64_t totalBytes(const NamedTensors &tensors)
{
    std::uint64_t total = 0;
    for (const auto &[name, tensor] : tensors)
        total += tensor.nbytes();
    return total;
}

} // namespace lens
