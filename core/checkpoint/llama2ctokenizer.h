// llama2.c's tokenizer.bin: u32 length of the longest piece, then for each piece f32 score, u32 length, bytes.
#pragma once

#include "base/result.h"
#include "text/embeddedvocabulary.h"

#include <filesystem>
#include <optional>

namespace lens {

struct Llama2cTokenizer {
    std::filesystem::path file;
    EmbeddedVocabulary vocabulary;
};

/// Looks for tok<size>.bin, then tokenizer.bin, beside `checkpoint`; nullopt when neither is there. The file must hold
/// exactly `size` pieces. The format stores no types: as llama2.c has it, 0 is unknown, 1 begins and 2 ends a text, and
/// <0x00> to <0xFF> are bytes. Spaces in pieces become U+2581, so that SentencePiece's algorithm applies.
Result<std::optional<Llama2cTokenizer>> findLlama2cTokenizer(const std::filesystem::path &checkpoint, std::size_t size);

} // namespace lens
