// New tokenizers, learned from text by sentencepiece's own trainer.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace lens {

struct TokenizerTraining {
    enum class Model { Bpe, Unigram };

    Model model = Model::Bpe;
    std::int64_t vocabulary = 32000;       ///< pieces, the 3 control tokens and 256 bytes included
    std::uint64_t seed = 0;                ///< matters only when there are more lines than mostLines
    std::int64_t mostLines = 10'000'000;   ///< learned from, drawn at random; they are held in memory
};

/// The next text to learn from; nullopt at the end.
using TextSource = std::function<Result<std::optional<std::string>>()>;

/// The content of a sentencepiece .model as the Llama family has it: <unk> 0, <s> 1, </s> 2, the 256 bytes, then the
/// pieces; texts are not normalised, a space is put before them, digits stand alone, and what no piece covers falls back
/// to bytes, so that every text but one with U+2581 (sentencepiece's sign for a space) comes back as it was. The same
/// text, options and library give the same model.
///
/// One training at a time in a process. A stop request is heeded while `next` is asked for text and when the trainer is
/// done; what lies between cannot be interrupted (seconds for 20 MB, minutes for a gigabyte).
/// Errors: those of `next`; InvalidArgument (no text, or a vocabulary that the text is too small for or that has no room
/// for its characters), Cancelled, OutOfMemory.
Result<std::string> trainTokenizer(const TextSource &next, const TokenizerTraining &options, std::stop_token stop = {});

} // namespace lens
