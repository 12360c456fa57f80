// Progress of a long operation. Cancellation is std::stop_token, taken by value by everything that can last.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace lens {

struct Progress {
    std::string stage;        ///< "reading weights", "prefill"
    std::uint64_t done = 0;   ///< in units of the stage (bytes, tokens, steps)
    std::uint64_t total = 0;  ///< 0 when unknown
};

/// Called on the thread that does the work, at most some tens of times a second. May be empty.
using ProgressFn = std::function<void(const Progress &)>;

} // namespace lens
