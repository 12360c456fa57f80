// Result<T>: a value or an Error. std::expected needs C++23; tl::expected is the same interface for C++20.
#pragma once

#include "base/error.h"

#include <tl/expected.hpp>
#include <utility>

namespace lens {

template <class T>
using Result = tl::expected<T, Error>;

/// `return fail(ErrorCode::Truncated, "the header ends at byte 7", path);`
inline tl::unexpected<Error> fail(ErrorCode code, std::string what, std::string where = {}, std::string advice = {})
{
    return tl::unexpected<Error>(Error{code, std::move(what), std::move(where), std::move(advice)});
}

/// Hands the error of one Result on as that of another: `if (!file) return propagate(file);`
template <class T>
tl::unexpected<Error> propagate(const Result<T> &failed)
{
    return tl::unexpected<Error>(failed.error());
}

} // namespace lens
