// open_lm and linear_open_lm: softmax and SUPRA models as the paper's authors save them.
#pragma once

#include "model/architecture.h"

namespace lens {

class OpenLmArchitecture final : public Architecture {
public:
    std::string_view id() const override { return "open_lm"; }
    bool recognises(const Checkpoint &checkpoint) const override;
    Result<ModelInfo> inspect(const Checkpoint &checkpoint) const override;
    Result<LanguageModelPtr> build(const Checkpoint &checkpoint, const BuildOptions &options) const override;
};

} // namespace lens
