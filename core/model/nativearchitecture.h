// This program's own folders: config.json as toJson(DecoderConfig) writes it, model.safetensors with Decoder's names.
#pragma once

#include "model/architecture.h"

namespace lens {

class NativeArchitecture final : public Architecture {
public:
    std::string_view id() const override { return "supralens"; }
    bool recognises(const Checkpoint &checkpoint) const override;
    Result<ModelInfo> inspect(const Checkpoint &checkpoint) const override;
    Result<LanguageModelPtr> build(const Checkpoint &checkpoint, const BuildOptions &options) const override;
};

} // namespace lens
