// Seam 3: recognises a checkpoint and builds a LanguageModel from it. Built-in families and plugins alike.
#pragma once

#include "base/progress.h"
#include "checkpoint/checkpoint.h"
#include "model/languagemodel.h"
#include "tensor/device.h"
#include "text/tokenizer.h"

#include <memory>
#include <stop_token>
#include <vector>

namespace lens {

struct BuildOptions {
    Device device;
    ComputeType type = ComputeType::Auto;
    std::stop_token stop;
    ProgressFn progress;
};

class Architecture {
public:
    virtual ~Architecture() = default;

    virtual std::string_view id() const = 0;

    /// Cheap: looks at the configuration and tensor names only.
    virtual bool recognises(const Checkpoint &checkpoint) const = 0;

    /// Facts from headers alone.
    virtual Result<ModelInfo> inspect(const Checkpoint &checkpoint) const = 0;

    virtual Result<LanguageModelPtr> build(const Checkpoint &checkpoint, const BuildOptions &options) const = 0;

    /// A tokenizer of the family's own kind that belongs to the checkpoint; null when it has none, and the usual
    /// places are looked through.
    virtual Result<TokenizerPtr> loadTokenizer(const Checkpoint &) const { return TokenizerPtr(); }
};

class ArchitectureRegistry {
public:
    /// With the built-in families.
    static ArchitectureRegistry withBuiltins();

    void add(std::unique_ptr<const Architecture> architecture);
    void append(ArchitectureRegistry other);

    /// The first that recognises it; one that throws does not. ErrorCode::Unsupported when none does, naming what the
    /// checkpoint says it is.
    Result<const Architecture *> find(const Checkpoint &checkpoint) const;

    const std::vector<std::unique_ptr<const Architecture>> &all() const { return m_architectures; }

private:
    std::vector<std::unique_ptr<const Architecture>> m_architectures;
};

} // namespace lens
