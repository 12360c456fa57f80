#include "corpus/documentsource.h"

#include <filesystem>

namespace lens {

namespace {

constexpr std::uint64_t kReportedEvery = 1u << 18;

} // namespace

DocumentSource::DocumentSource(std::vector<std::string> files, DocumentFormat format, Progress state, ProgressFn progress)
    : m_files(std::move(files)), m_format(std::move(format)), m_state(std::move(state)), m_progress(std::move(progress))
{
}

Result<DocumentSource> DocumentSource::open(std::vector<std::string> files, DocumentFormat format, std::string stage,
                                            ProgressFn progress)
{
    Progress state{.stage = std::move(stage), .done = 0, .total = 0};
    for (const std::string &file : files) {
        std::error_code error;
        state.total += std::filesystem::file_size(file, error);
        if (error)
            return fail(error == std::errc::no_such_file_or_directory ? ErrorCode::NotFound : ErrorCode::Io,
                        "the file cannot be opened: " + error.message(), file, "check the path");
    }
    return DocumentSource(std::move(files), std::move(format), std::move(state), std::move(progress));
}

Result<std::optional<std::string>> DocumentSource::next()
{
    while (true) {
        if (!m_reader) {
            if (m_nextFile == m_files.size())
                return std::optional<std::string>();
            Result<DocumentReader> reader = DocumentReader::open(m_files[m_nextFile++], m_format);
            if (!reader)
                return propagate(reader);
            m_reader = std::move(*reader);
        }
        Result<std::optional<Document>> document = m_reader->next();
        if (!document)
            return propagate(document);
        if (*document && !(*document)->text.empty()) {
            report();
            return std::optional(std::move((*document)->text));
        }
        if (!*document) {
            m_before += m_reader->size();
            m_reader.reset();
        }
    }
}

void DocumentSource::report()
{
    const std::uint64_t done = m_before + m_reader->position();
    if (!m_progress || done < m_state.done + kReportedEvery)
        return;
    m_state.done = done;
    m_progress(m_state);
}

} // namespace lens
