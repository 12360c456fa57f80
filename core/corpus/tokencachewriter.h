// Makes a token cache's file. Internal to core/corpus.
#pragma once

#include "base/atomicfile.h"
#include "corpus/documentreader.h"
#include "corpus/tokencache.h"

namespace lens {

class TokenCacheWriter {
public:
    static Result<TokenCacheWriter> create(const std::filesystem::path &file, std::string key, const Tokenizer &tokenizer);

    /// Tokenises all documents of the files, in their order.
    Result<void> addFiles(const CorpusOptions &options, std::stop_token stop, const ProgressFn &progress);

    /// Writes what follows the ids, and gives the file its name.
    Result<void> commit();

private:
    struct Piece;
    class Batch;

    TokenCacheWriter(AtomicFile file, std::string key, const Tokenizer &tokenizer);
    Result<void> addFile(DocumentReader &reader, std::stop_token stop, const std::function<void()> &report);
    Result<void> add(const Batch &batch);
    Result<void> addIds(std::span<const TokenId> ids);

    AtomicFile m_file;
    std::string m_key;
    const Tokenizer &m_tokenizer;
    std::uint32_t m_tokenBytes;
    std::uint64_t m_tokens = 0;
    std::uint64_t m_textBytes = 0;
    std::vector<std::uint64_t> m_starts;
};

} // namespace lens
