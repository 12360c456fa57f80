// Reads a sentencepiece .model without the sentencepiece library, which crashes on crafted files (long pieces, pieces
// with NUL, character maps that point outside themselves). The library is only given what rebuilt() writes anew from
// a model that passed these checks; fields that encoding does not need never reach it.
#pragma once

#include "base/result.h"
#include "text/tokenizer.h"

#include <string>
#include <string_view>
#include <vector>

namespace lens {

struct SentencePieceModel {
    enum class Type { Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6 };

    struct Piece {
        std::string text;
        float score = 0;
        Type type = Type::Normal;
    };

    std::vector<Piece> pieces;
    std::uint64_t modelType = 1;  ///< 1 unigram, 2 BPE, 3 word, 4 character
    bool byteFallback = false;
    bool whiteSpaceIsSuffix = false;
    std::string bosPiece = "<s>", eosPiece = "</s>", unknownPiece = "<unk>", paddingPiece = "<pad>";
    std::string unknownSurface = " \u2047 ";  ///< what an unknown piece decodes to
    std::string characterMap;                 ///< precompiled_charsmap; empty when there is none
    bool addDummyPrefix = true;
    bool removeExtraSpaces = true;
    bool escapeSpaces = true;
};

/// Truncated, Malformed or LimitExceeded, naming the piece and the offset in the file.
Result<SentencePieceModel> readSentencePieceModel(std::string_view file, const std::string &where);

/// A serialised ModelProto with the content of `model`.
std::string rebuilt(const SentencePieceModel &model);

/// The character map is a double array trie followed by the replacement texts: every step that a lookup can take must
/// stay inside the array, and every value must be the beginning of a replacement.
Result<void> checkCharacterMap(std::string_view map, const std::string &where);

} // namespace lens
