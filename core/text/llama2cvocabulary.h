// The tokenizer.bin of llama2.c: u32 longest token, then per token f32 score, u32 length, bytes; little endian.
#pragma once

#include "base/result.h"
#include "text/embeddedvocabulary.h"

#include <string>
#include <string_view>

namespace lens {

/// Cheap test of the structure: every length fits and the last token ends where the file does.
bool looksLikeLlama2cVocabulary(std::string_view file);

/// By the format's convention token 0 is unknown, 1 is bos, 2 is eos, and <0xXX> are bytes.
Result<EmbeddedVocabulary> readLlama2cVocabulary(std::string_view file, const std::string &where);

} // namespace lens
