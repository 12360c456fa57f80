// What can go wrong, as a value. Core never throws across a public header, aborts, exits, prints or translates.
#pragma once

#include <string>

namespace lens {

enum class ErrorCode {
    Cancelled,        ///< the user asked to stop; an outcome, not a failure
    InvalidArgument,  ///< the caller asked for something that makes no sense
    NotFound,         ///< file, model, tensor or row does not exist
    Io,               ///< the operating system refused to read or write
    Truncated,        ///< a file ends before what it announces
    Malformed,        ///< a file contradicts its own format
    Unsupported,      ///< well-formed, but nothing here can use it
    LimitExceeded,    ///< a size or count beyond what the file or this program justifies
    Mismatch,         ///< two things that must agree do not (shapes, vocabularies, versions)
    OutOfMemory,
    Device,           ///< a device is missing or failed
    Busy,             ///< somebody else holds the lock
    NewerVersion,     ///< written by a newer release of this program
    Internal,         ///< a fault of this program
};

/// `what` says what went wrong, `where` in which file, tensor, offset or row, `advice` what to do about it.
/// All are English sentences without a trailing full stop; the user interface translates by `code`.
struct Error {
    ErrorCode code = ErrorCode::Internal;
    std::string what;
    std::string where;
    std::string advice;
};

/// Stable lower-case name, for logs and JSON ("malformed").
const char *name(ErrorCode code);

/// One line: "<where>: <what> (<advice>)", leaving out what is empty.
std::string toString(const Error &error);

} // namespace lens
