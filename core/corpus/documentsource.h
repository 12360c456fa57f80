// The documents of several files as one stream of texts.
#pragma once

#include "base/progress.h"
#include "corpus/documentreader.h"

#include <vector>

namespace lens {

class DocumentSource {
public:
    /// `progress` counts `stage` in bytes of the files as they lie on the disk. ErrorCode::NotFound or Io when a file is
    /// not there.
    static Result<DocumentSource> open(std::vector<std::string> files, DocumentFormat format, std::string stage,
                                       ProgressFn progress = {});

    /// The text of the next document, of the first file first; nullopt at the end. Documents that are only ids are left
    /// out. Errors are those of DocumentReader.
    Result<std::optional<std::string>> next();

private:
    DocumentSource(std::vector<std::string> files, DocumentFormat format, Progress state, ProgressFn progress);
    void report();

    std::vector<std::string> m_files;
    DocumentFormat m_format;
    Progress m_state;
    ProgressFn m_progress;
    std::size_t m_nextFile = 0;
    std::optional<DocumentReader> m_reader;
    std::uint64_t m_before = 0;
};

} // namespace lens
