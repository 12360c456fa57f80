// Llama and Mistral, softmax, as Hugging Face folders, GGUF files of architecture "llama" and llama2.c files.
#pragma once

#include "model/architecture.h"

namespace lens {

class LlamaArchitecture final : public Architecture {
public:
    std::string_view id() const override { return "llama"; }
    bool recognises(const Checkpoint &checkpoint) const override;
    Result<ModelInfo> inspect(const Checkpoint &checkpoint) const override;
    Result<LanguageModelPtr> build(const Checkpoint &checkpoint, const BuildOptions &options) const override;
};

} // namespace lens
