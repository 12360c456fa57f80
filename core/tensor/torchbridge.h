// The border between this project's plain types and torch's. Only core includes this.
#pragma once

#include "base/result.h"
#include "tensor/device.h"
#include "tensor/dtype.h"

#include <ATen/ATen.h>
#include <exception>

namespace lens {

at::Device toTorch(const Device &device);

/// The floating-point type to compute in on `device`.
at::ScalarType toTorch(ComputeType type, const Device &device);

/// Plain (unquantised) types only.
at::ScalarType toTorch(DType type);

/// An Error on its way through code that can only throw.
struct ErrorException : std::exception {
    explicit ErrorException(Error error) : error(std::move(error)) {}
    const char *what() const noexcept override { return error.what.c_str(); }

    Error error;
};

/// Runs `work` and turns what LibTorch throws into an Error. The only place where torch exceptions are caught.
template <class Work>
auto guarded(const std::string &where, Work &&work) -> decltype(work());

/// The Error for the exception in flight. Call inside a catch block.
Error currentExceptionAsError(const std::string &where);

template <class Work>
auto guarded(const std::string &where, Work &&work) -> decltype(work())
{
    try {
        return work();
    } catch (...) {
        return tl::unexpected<Error>(currentExceptionAsError(where));
    }
}

} // namespace lens
