// A vocabulary that came inside a checkpoint, as a file of its own ("vocabulary.json"), so that a model saved in
// another format keeps its tokenizer to the letter.
#pragma once

#include "base/result.h"
#include "text/embeddedvocabulary.h"

#include <filesystem>

namespace lens {

inline constexpr const char *vocabularyFileName = "vocabulary.json";

Result<void> writeVocabulary(const std::filesystem::path &file, const EmbeddedVocabulary &vocabulary);

/// ErrorCode::Malformed says which field is wrong. The content is checked further by makeTokenizer().
Result<EmbeddedVocabulary> readVocabulary(const std::filesystem::path &file);

} // namespace lens
