#include "tensor/torchbridge.h"

#include <new>

namespace lens {

at::Device toTorch(const Device &device)
{
    switch (device.kind) {
    case DeviceKind::Cpu: return at::kCPU;
    case DeviceKind::Cuda: return {at::kCUDA, static_cast<at::DeviceIndex>(device.index)};
    case DeviceKind::Mps: return at::kMPS;
    case DeviceKind::Meta: return at::kMeta;
    }
    return at::kCPU;
}

at::ScalarType toTorch(ComputeType type, const Device &device)
{
    switch (type) {
    case ComputeType::Float32:
    case ComputeType::Int8:
    case ComputeType::Int4: return at::kFloat;
    case ComputeType::BFloat16: return at::kBFloat16;
    case ComputeType::Float16: return at::kHalf;
    case ComputeType::Auto: break;
    }
    return device.kind == DeviceKind::Cuda ? at::kBFloat16 : at::kFloat;
}

at::ScalarType toTorch(DType type)
{
    switch (type) {
    case DType::F64: return at::kDouble;
    case DType::F32: return at::kFloat;
    case DType::F16: return at::kHalf;
    case DType::BF16: return at::kBFloat16;
    case DType::I64: return at::kLong;
    case DType::I32: return at::kInt;
    case DType::I16: return at::kShort;
    case DType::I8: return at::kChar;
    case DType::U8: return at::kByte;
    case DType::Bool: return at::kBool;
    case DType::F8E4M3: return at::kFloat8_e4m3fn;
    case DType::F8E5M2: return at::kFloat8_e5m2;
    default: break;
    }
    TORCH_CHECK(false, "quantised blocks have no torch type");
}

Error currentExceptionAsError(const std::string &where)
{
    try {
        throw;
    } catch (const ErrorException &exception) {
        return exception.error;
    } catch (const c10::OutOfMemoryError &error) {
        return {ErrorCode::OutOfMemory, "the device is out of memory", where, "use a smaller model or a shorter text"};
    } catch (const std::bad_alloc &) {
        return {ErrorCode::OutOfMemory, "there is not enough memory", where, "use a smaller model or a shorter text"};
    } catch (const c10::Error &error) {
        const std::string text = error.what_without_backtrace();
        if (text.find("can't allocate memory") != std::string::npos)
            return {ErrorCode::OutOfMemory, "there is not enough memory", where, "use a smaller model or a shorter text"};
        return {ErrorCode::Internal, text, where, {}};
    } catch (const std::exception &error) {
        return {ErrorCode::Internal, error.what(), where, {}};
    } catch (...) {
        return {ErrorCode::Internal, "an unknown exception was thrown", where, {}};
    }
}

} // namespace lens
