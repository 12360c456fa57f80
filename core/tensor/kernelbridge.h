// Between tensors and the kernels, which know none.
#pragma once

#include "kernels/number.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <algorithm>
#include <atomic>

#if AT_PARALLEL_OPENMP && !defined(_OPENMP)
#error "at::parallel_for() would run on one thread: compile with OpenMP"
#endif

namespace lens {

/// Whether kernels can work on x: main memory, a number type of theirs, the last dimension dense.
inline bool suitsKernels(const at::Tensor &x)
{
    return x.device().is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16) && x.dim() > 0
           && (x.stride(-1) == 1 || x.size(-1) == 1);
}

/// Numbers of a tensor that suitsKernels(): T is float or kernels::BFloat16. Null for an undefined one.
template <class T>
T *numbers(const at::Tensor &x)
{
    return x.defined() ? static_cast<T *>(x.data_ptr()) : nullptr;
}

/// f(T()) with the number type of x.
template <class F>
void withNumberType(const at::Tensor &x, const F &f)
{
    if (x.scalar_type() == at::kFloat)
        f(float());
    else
        f(kernels::BFloat16());
}

/// f(begin, end) for parts of 0..count, each worth a thread of its own.
template <class F>
void inParallel(std::int64_t count, std::int64_t numbersEach, const F &f)
{
    constexpr std::int64_t kNumbersPerThread = 1 << 15;
    at::parallel_for(0, count, std::max<std::int64_t>(1, kNumbersPerThread / std::max<std::int64_t>(1, numbersEach)), f);
}

/// f(part) for each of 0..parts, by whichever thread is free: for parts that differ, or machines that take cores away.
template <class F>
void inTurns(std::int64_t parts, const F &f)
{
    std::atomic<std::int64_t> next{0};
    at::parallel_for(0, std::min<std::int64_t>(parts, at::get_num_threads()), 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t thread = begin; thread < end; ++thread)
            for (std::int64_t part = next++; part < parts; part = next++)
                f(part);
    });
}

} // namespace lens
