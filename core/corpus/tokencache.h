// Training text as token ids in one file: tokenised once, mapped into memory ever after.
//
// The file is called after a key, XXH3-128 of the tokenizer's fingerprint, the options and the files. A file counts by
// its kind (text or JSON lines, by its name), its size and its content: all of it up to 1 GiB; beyond that the
// first and last 64 MiB, and the time of its last change. Neither its path nor, up to 1 GiB, its time matter, so that a
// copy finds the cache of the original.
//
// Layout, little-endian: the ids, as uint16 where the vocabulary has at most 65,536 entries, else uint32; zeros up to a
// multiple of 8 bytes; the index of each document's first token and the number of all tokens, uint64; a closing record
// of sizes and key. It gets its name only when it is complete and on the disk; one that was damaged later (cut short,
// another size or key) is made anew.
#pragma once

#include "base/progress.h"
#include "base/result.h"
#include "tensor/mappedfile.h"
#include "text/tokenizer.h"

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace lens {

struct CorpusOptions {
    std::vector<std::string> files;           ///< in this order; see corpus/documentreader.h
    std::string textField = "text";           ///< of JSON lines
    std::string separator = "<|endoftext|>";  ///< a line that ends a document of a text file; empty: a file is one
    std::string cacheFolder{};                ///< empty: "corpora" in the user's cache folder
};

/// Identifies what a tokenizer makes of a text, for TokenCache::open(): its kind, pieces, special tokens, and what it
/// makes of a few probing texts.
std::string fingerprint(const Tokenizer &tokenizer);

/// Immutable and safe to use from several threads.
class TokenCache {
public:
    /// Maps the cache, after tokenising everything on all cores if there is none yet. Each document becomes: bos where
    /// the tokenizer adds it by its own configuration, the text (in which no control tokens are recognised), and eos
    /// where the tokenizer has one. Documents given as ids are taken as they are. A text of more than 256 KiB is encoded
    /// in pieces that end at line breaks. Several processes that ask for the same cache make it once.
    ///
    /// `progress` counts "tokenising" in bytes of the files as they lie on the disk. Errors: those of DocumentReader;
    /// InvalidArgument (no files, no documents, no cache folder), Mismatch (ids outside the vocabulary), Io, OutOfMemory, Cancelled.
    static Result<std::shared_ptr<const TokenCache>> open(const CorpusOptions &options, const Tokenizer &tokenizer,
                                                          const std::string &tokenizerFingerprint,
                                                          std::stop_token stop = {}, const ProgressFn &progress = {});

    std::int64_t tokens() const { return m_tokens; }
    std::int64_t documents() const { return m_documents; }

    /// The index of the first token of a document; `document` may be documents(), which gives tokens().
    std::int64_t documentStart(std::int64_t document) const;

    /// Bytes of text that the tokens stand for.
    std::uint64_t textBytes() const { return m_textBytes; }

    /// Tokens first, first + 1, ...; all of them must exist.
    void copy(std::int64_t first, std::span<TokenId> out) const;

    const std::filesystem::path &file() const { return m_file->path(); }

private:
    explicit TokenCache(MappedFilePtr file) : m_file(std::move(file)) {}
    static Result<std::shared_ptr<const TokenCache>> openOrMake(const CorpusOptions &options, const Tokenizer &tokenizer,
                                                                const std::string &tokenizerFingerprint,
                                                                const std::stop_token &stop, const ProgressFn &progress);
    static Result<std::shared_ptr<const TokenCache>> map(const std::filesystem::path &file, const std::string &key);
    bool readStructure(const std::string &key);

    MappedFilePtr m_file;
    const std::byte *m_ids = nullptr;
    const std::uint64_t *m_starts = nullptr;
    std::uint32_t m_tokenBytes = 2;
    std::int64_t m_tokens = 0;
    std::int64_t m_documents = 0;
    std::uint64_t m_textBytes = 0;
};

using TokenCachePtr = std::shared_ptr<const TokenCache>;

} // namespace lens
