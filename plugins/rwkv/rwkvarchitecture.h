// RWKV-4 and RWKV-5 as BlinkDL's .pth files and as Hugging Face folders, with the World tokenizer.
#pragma once

#include "model/architecture.h"

namespace lens::rwkv {

class RwkvArchitecture final : public Architecture {
public:
    std::string_view id() const override { return "rwkv"; }
    bool recognises(const Checkpoint &checkpoint) const override;
    Result<ModelInfo> inspect(const Checkpoint &checkpoint) const override;
    Result<LanguageModelPtr> build(const Checkpoint &checkpoint, const BuildOptions &options) const override;

    /// rwkv_vocab*.txt beside the weights; for small vocabularies 20B_tokenizer.json, which RWKV-4 came with.
    Result<TokenizerPtr> loadTokenizer(const Checkpoint &checkpoint) const override;
};

} // namespace lens::rwkv
