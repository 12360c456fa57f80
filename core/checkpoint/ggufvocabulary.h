// The tokenizer.ggml.* keys of a GGUF file as an EmbeddedVocabulary.
#pragma once

#include "checkpoint/ggufmetadata.h"
#include "text/embeddedvocabulary.h"

namespace lens {

/// nullopt for a file without a vocabulary and for kinds other than "llama" and "gpt2". Absent keys have llama.cpp's
/// defaults. ErrorCode::Malformed when the lists contradict each other or an id lies beyond them.
Result<std::optional<EmbeddedVocabulary>> readGgufVocabulary(const GgufMetadata &metadata, const std::string &file);

} // namespace lens
