#include "corpus/tokencachewriter.h"

#include "corpus/tokencacheformat.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

namespace lens {

namespace {

constexpr std::size_t kLongestPiece = 256u << 10;
constexpr std::size_t kBatchBytes = 4u << 20;

/// Where the piece that begins at `begin` ends: the whole rest, or behind the last line break that fits, or else before
/// a character.
std::size_t pieceEnd(std::string_view text, std::size_t begin)
{
    if (text.size() - begin <= kLongestPiece)
        return text.size();
    const std::size_t most = begin + kLongestPiece;
    const std::size_t lineBreak = text.rfind('\n', most - 1);
    if (lineBreak != text.npos && lineBreak >= begin)
        return lineBreak + 1;
    std::size_t end = most;
    while (end > most - 4 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
        --end;
    return end;
}

tl::unexpected<Error> cancelled()
{
    return fail(ErrorCode::Cancelled, "tokenising was cancelled");
}

} // namespace

/// A document, or a part of a long one.
struct TokenCacheWriter::Piece {
    std::string text;
    std::vector<TokenId> ids;
    std::string where;
    bool isTokenised = false;
    bool isFirst = true;
    bool isLast = true;
};

/// Pieces that are encoded together, on all cores.
class TokenCacheWriter::Batch {
public:
    explicit Batch(const Tokenizer &tokenizer) : m_tokenizer(tokenizer) {}

    bool isFull() const { return m_bytes >= kBatchBytes; }
    const std::vector<Piece> &pieces() const { return m_pieces; }

    void add(Document document, const std::string &file)
    {
        const std::string where = file + ", line " + std::to_string(document.line);
        if (document.ids) {
            m_bytes += document.ids->size() * sizeof(TokenId) + document.text.size();
            m_pieces.push_back({std::move(document.text), std::move(*document.ids), where, true});
            return;
        }
        m_bytes += document.text.size();
        if (document.text.size() <= kLongestPiece) {
            m_pieces.push_back({std::move(document.text), {}, where});
            return;
        }
        for (std::size_t begin = 0; begin < document.text.size();) {
            const std::size_t end = pieceEnd(document.text, begin);
            m_pieces.push_back({document.text.substr(begin, end - begin), {}, where, false, begin == 0,
                                end == document.text.size()});
            begin = end;
        }
    }

    Result<void> encode(const std::stop_token &stop)
    {
        std::atomic<std::size_t> next = 0;
        std::vector<Result<void>> outcomes(m_pieces.size());
        const auto work = [&] {
            for (std::size_t i = next++; i < m_pieces.size() && !stop.stop_requested(); i = next++)
                outcomes[i] = encode(m_pieces[i]);
        };
        {
            std::vector<std::jthread> helpers;
            for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i)
                helpers.emplace_back(work);
            work();
        }
        if (stop.stop_requested())
            return cancelled();
        const auto failed = std::find_if(outcomes.begin(), outcomes.end(), [](const auto &outcome) { return !outcome; });
        return failed == outcomes.end() ? Result<void>() : *failed;
    }

private:
    Result<void> encode(Piece &piece) const
    {
        if (piece.isTokenised)
            return checkIds(piece);
        Result<std::vector<TokenId>> ids = m_tokenizer.encode(piece.text, {.addSpecial = true, .parseSpecial = false});
        if (!ids)
            return propagate(ids);
        piece.ids = std::move(*ids);
        const SpecialTokens &special = m_tokenizer.special();
        if (!piece.isFirst && special.bos && !piece.ids.empty() && piece.ids.front() == *special.bos)
            piece.ids.erase(piece.ids.begin());
        if (!special.eos)
            return {};
        const bool hasEos = !piece.ids.empty() && piece.ids.back() == *special.eos;
        if (piece.isLast && !hasEos)
            piece.ids.push_back(*special.eos);
        if (!piece.isLast && hasEos)
            piece.ids.pop_back();
        return {};
    }

    Result<void> checkIds(Piece &piece) const
    {
        const auto vocabulary = static_cast<TokenId>(m_tokenizer.size());
        const auto outside = std::find_if(piece.ids.begin(), piece.ids.end(), [&](TokenId id) { return id >= vocabulary; });
        if (outside != piece.ids.end())
            return fail(ErrorCode::Mismatch,
                        "token id " + std::to_string(*outside) + " is outside of the vocabulary of " +
                            std::to_string(vocabulary),
                        piece.where, "these ids were written for another tokenizer");
        if (piece.text.empty())
            piece.text = m_tokenizer.decode(piece.ids);
        return {};
    }

    const Tokenizer &m_tokenizer;
    std::vector<Piece> m_pieces;
    std::size_t m_bytes = 0;
};

TokenCacheWriter::TokenCacheWriter(AtomicFile file, std::string key, const Tokenizer &tokenizer)
    : m_file(std::move(file)), m_key(std::move(key)), m_tokenizer(tokenizer),
      m_tokenBytes(tokenizer.size() <= 65536 ? 2 : 4)
{
}

Result<TokenCacheWriter> TokenCacheWriter::create(const std::filesystem::path &file, std::string key,
                                                  const Tokenizer &tokenizer)
{
    Result<AtomicFile> created = AtomicFile::create(file);
    if (!created)
        return propagate(created);
    return TokenCacheWriter(std::move(*created), std::move(key), tokenizer);
}

Result<void> TokenCacheWriter::addFiles(const CorpusOptions &options, std::stop_token stop, const ProgressFn &progress)
{
    Progress state{.stage = "tokenising", .done = 0, .total = 0};
    std::error_code ignored;
    for (const std::string &file : options.files)
        state.total += std::filesystem::file_size(file, ignored);
    std::uint64_t before = 0;
    for (const std::string &file : options.files) {
        Result<DocumentReader> reader = DocumentReader::open(file, {options.textField, options.separator});
        if (!reader)
            return propagate(reader);
        const auto report = [&] {
            state.done = before + reader->position();
            if (progress)
                progress(state);
        };
        if (const Result<void> added = addFile(*reader, stop, report); !added)
            return added;
        before += reader->size();
    }
    if (m_starts.empty())
        return fail(ErrorCode::InvalidArgument, "there are no documents in the training text", options.files.front(),
                    "choose files that hold text");
    return {};
}

Result<void> TokenCacheWriter::addFile(DocumentReader &reader, std::stop_token stop, const std::function<void()> &report)
{
    for (bool atEnd = false; !atEnd;) {
        Batch batch(m_tokenizer);
        while (!batch.isFull() && !atEnd) {
            if (stop.stop_requested())
                return cancelled();
            Result<std::optional<Document>> document = reader.next();
            if (!document)
                return propagate(document);
            atEnd = !*document;
            if (!atEnd)
                batch.add(std::move(**document), reader.file());
        }
        if (const Result<void> encoded = batch.encode(stop); !encoded)
            return encoded;
        if (const Result<void> added = add(batch); !added)
            return added;
        report();
    }
    return {};
}

Result<void> TokenCacheWriter::add(const Batch &batch)
{
    for (const Piece &piece : batch.pieces()) {
        if (piece.isFirst)
            m_starts.push_back(m_tokens);
        m_textBytes += piece.text.size();
        if (const Result<void> added = addIds(piece.ids); !added)
            return added;
    }
    return {};
}

Result<void> TokenCacheWriter::addIds(std::span<const TokenId> ids)
{
    m_tokens += ids.size();
    if (m_tokenBytes == 4)
        return m_file.write(std::as_bytes(ids));
    const std::vector<std::uint16_t> narrow(ids.begin(), ids.end());
    return m_file.write(std::as_bytes(std::span(narrow)));
}

Result<void> TokenCacheWriter::commit()
{
    const std::string padding(paddedIdBytes(m_tokens, m_tokenBytes) - m_file.position(), '\0');
    TokenCacheFooter footer{.tokens = m_tokens, .documents = m_starts.size(), .textBytes = m_textBytes};
    footer.tokenBytes = m_tokenBytes;
    std::copy_n(m_key.begin(), std::min(m_key.size(), footer.key.size()), footer.key.begin());
    m_starts.push_back(m_tokens);
    for (const auto bytes : {std::as_bytes(std::span(padding)), std::as_bytes(std::span(m_starts)),
                             std::as_bytes(std::span(&footer, 1))})
        if (const Result<void> written = m_file.write(bytes); !written)
            return written;
    return m_file.commit();
}

} // namespace lens
