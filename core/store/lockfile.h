// One writer at a time, over processes.
#pragma once

#include "base/result.h"

#include <memory>
#include <string>

namespace lens {

/// Holds an advisory lock (flock) on a file that names the holder, until destruction or the end of the process, however
/// it ends. The file stays behind, since removing it would let two processes lock two files of one name.
class LockFile {
public:
    /// Busy, with the holder's process id in the text, when another process or another LockFile has it; Io.
    static Result<std::unique_ptr<LockFile>> acquire(const std::string &path);
    ~LockFile();
    LockFile(const LockFile &) = delete;
    LockFile &operator=(const LockFile &) = delete;

private:
    explicit LockFile(int descriptor) : m_descriptor(descriptor) {}

    int m_descriptor;
};

} // namespace lens
