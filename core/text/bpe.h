// Byte pair encoding with ranked merges (GPT-2 and its heirs). Works on any alphabet: the byte alphabet, or plain
// characters with a fallback to byte pieces.
#pragma once

#include "base/result.h"
#include "text/tokenizer.h"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lens {

struct StringHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

using PieceIds = std::unordered_map<std::string, TokenId, StringHash, std::equal_to<>>;

struct BpeOptions {
    bool wholeWordFirst = false;      ///< a word that is a piece is taken unmerged (ignore_merges)
    bool byteFallback = false;        ///< characters without a piece become <0xXX> pieces
    bool fuseUnknown = false;         ///< a run of unknown characters gives one unknown token
    bool unknownBlocksMerges = false; ///< else a dropped character lets its neighbours merge
    std::optional<TokenId> unknown = std::nullopt; ///< what a character without a piece becomes; nothing: it is dropped
};

class Bpe {
public:
    using Merge = std::pair<std::string_view, std::string_view>;

    /// `merges` lowest rank first; what they view is not kept. ErrorCode::Malformed when one names a piece that `pieces` lacks.
    static Result<Bpe> make(PieceIds pieces, const std::vector<Merge> &merges, const BpeOptions &options,
                            const std::string &where);

    /// Appends the ids of one word (valid UTF-8 in this vocabulary's alphabet).
    void encode(std::string_view word, std::vector<TokenId> &ids) const;

    std::optional<TokenId> find(std::string_view piece) const;

private:
    struct MergeTo {
        std::uint32_t rank;
        TokenId id;
    };
    struct Symbol {
        TokenId id;
        int previous, next;
    };

    Bpe() = default;
    std::vector<Symbol> symbolsOf(std::string_view word) const;
    void appendUnknown(std::string_view character, std::vector<Symbol> &symbols) const;
    const MergeTo *mergeOf(TokenId left, TokenId right) const;

    PieceIds m_pieces;
    std::unordered_map<std::uint64_t, MergeTo> m_merges;
    BpeOptions m_options;
    std::optional<std::array<TokenId, 256>> m_bytePieces;
};

/// "<0x0A>" for 10.
std::string bytePieceName(unsigned char byte);

/// The byte that a piece "<0x0A>" stands for.
std::optional<unsigned char> byteOfPiece(std::string_view piece);

} // namespace lens
