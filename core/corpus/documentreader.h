// The documents of a text or JSON lines file, each also gzipped, one after the other and never all in memory.
//
// A text file (any name that is not one of JSON lines) is cut at lines equal to the separator. A document is what lies
// between, its lines joined by "\n", without the line break that ends its last line; line ends are "\n" or "\r\n".
//
// JSON lines (.jsonl or .ndjson, also with .gz): one object a line. A document is the text of its field; where the
// object has a field "ids", a list of token ids, these are taken as they are and stand in place of the text. Empty lines
// are skipped. In both kinds, documents of nothing but white space are left out.
#pragma once

#include "corpus/linesource.h"
#include "text/tokenizer.h"

namespace lens {

struct Document {
    std::string text;                         ///< UTF-8, not checked; may be empty when there are ids
    std::optional<std::vector<TokenId>> ids;  ///< not checked against any vocabulary, but none is negative
    std::int64_t line = 0;                    ///< the first, from 1
};

struct DocumentFormat {
    std::string textField = "text";
    std::string separator = "<|endoftext|>";  ///< empty: a text file is one document
};

bool isJsonLines(const std::string &file);

class DocumentReader {
public:
    /// Most bytes of one document.
    static constexpr std::size_t longestDocument = LineSource::longestLine;

    /// Errors: NotFound, Io, InvalidArgument (a folder), Malformed (called .gz, but not gzip).
    static Result<DocumentReader> open(const std::string &file, DocumentFormat format = {});

    /// nullopt at the end. Errors name file and line: Malformed (JSON, a missing field, damaged gzip), Truncated (gzip
    /// that ends in the middle), LimitExceeded (a document beyond longestDocument).
    Result<std::optional<Document>> next();

    const std::string &file() const { return m_file; }

    /// Bytes of the file as it lies on the disk: read so far, and all.
    std::uint64_t position() const { return m_lines.position(); }
    std::uint64_t size() const { return m_lines.size(); }

private:
    DocumentReader(std::string file, DocumentFormat format, LineSource lines);
    Result<std::optional<Document>> nextText();
    Result<std::optional<Document>> nextJson();
    Result<Document> fromJson(const std::string &line) const;

    std::string m_file;
    DocumentFormat m_format;
    LineSource m_lines;
    bool m_isJson;
};

} // namespace lens
