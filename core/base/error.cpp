#include "base/error.h"

namespace lens {

const char *name(ErrorCode code)
{
    switch (code) {
    case ErrorCode::Cancelled: return "cancelled";
    case ErrorCode::InvalidArgument: return "invalid-argument";
    case ErrorCode::NotFound: return "not-found";
    case ErrorCode::Io: return "io";
    case ErrorCode::Truncated: return "truncated";
    case ErrorCode::Malformed: return "malformed";
    case ErrorCode::Unsupported: return "unsupported";
    case ErrorCode::LimitExceeded: return "limit-exceeded";
    case ErrorCode::Mismatch: return "mismatch";
    case ErrorCode::OutOfMemory: return "out-of-memory";
    case ErrorCode::Device: return "device";
    case ErrorCode::Busy: return "busy";
    case ErrorCode::NewerVersion: return "newer-version";
    case ErrorCode::Internal: return "internal";
    }
    return "unknown";
}

std::string toString(const Error &error)
{
    std::string line = error.where.empty() ? error.what : error.where + ": " + error.what;
    if (!error.advice.empty())
        line += " (" + error.advice + ")";
    return line;
}

} // namespace lens
