// Recognises Mamba-1 checkpoints: Hugging Face folders (mamba, falcon_mamba) and the form that state-spaces/mamba and
// open_lm write.
#pragma once

#include "model/architecture.h"

namespace lens::mamba {

class MambaArchitecture final : public Architecture {
public:
    std::string_view id() const override { return "mamba"; }
    bool recognises(const Checkpoint &checkpoint) const override;
    Result<ModelInfo> inspect(const Checkpoint &checkpoint) const override;
    Result<LanguageModelPtr> build(const Checkpoint &checkpoint, const BuildOptions &options) const override;
};

} // namespace lens::mamba
