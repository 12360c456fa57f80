// The engine as the bridge calls it, behind an interface so that the window can be driven without a model.
#pragma once

#include "engine/engine.h"

#include <memory>
#include <span>
#include <vector>

namespace lens {

/// One column's decode state. Used by one thread at a time, not the GUI thread.
class ColumnEngine {
public:
    virtual ~ColumnEngine() = default;

    virtual Result<std::vector<TokenId>> encode(std::span<const ChatMessage> messages) = 0;
    virtual Result<GenerationResult> generate(std::span<const TokenId> promptIds, const GenerationOptions &options,
                                              const GenerationCallbacks &callbacks, std::stop_token stop) = 0;
};

/// Everything else. Safe to call from several threads; nothing of it belongs on the GUI thread.
class Engine {
public:
    virtual ~Engine() = default;

    virtual Result<ModelInfo> inspect(const std::string &path) = 0;
    virtual Result<MemoryEstimate> estimate(const ModelInfo &info, const LoadOptions &options) = 0;
    virtual Result<LoadedModelPtr> load(const std::string &specification, const LoadOptions &options,
                                        std::stop_token stop, const ProgressFn &progress) = 0;
    virtual Result<LoadedModelPtr> convert(const LoadedModelPtr &source, const ConvertOptions &options,
                                           std::stop_token stop, const ProgressFn &progress) = 0;
    virtual Result<LoadedModelPtr> adapt(const LoadedModelPtr &base, const std::string &adapterFile) = 0;
    virtual Result<void> save(const LoadedModel &model, const std::string &folder, SaveFormat format,
                              std::stop_token stop, const ProgressFn &progress) = 0;
    virtual Result<std::unique_ptr<ColumnEngine>> openColumn(LoadedModelPtr model) = 0;
    virtual Result<ForcedComparison> compare(const LoadedModel &first, const LoadedModel &second,
                                             std::span<const TokenId> ids, std::stop_token stop,
                                             const ProgressFn &progress) = 0;
    virtual Result<std::shared_ptr<const AttentionMap>> attention(const LoadedModel &model,
                                                                  std::span<const TokenId> ids, std::stop_token stop,
                                                                  const ProgressFn &progress) = 0;
    /// May take seconds the first time: plugins that were not there before are tried out.
    virtual std::vector<PluginInfo> plugins() = 0;
    /// What each id looks like on the screen.
    virtual std::vector<std::string> tokenTexts(const LoadedModel &model, std::span<const TokenId> ids) = 0;
};

/// The engine of core/engine.
std::unique_ptr<Engine> makeEngine();

} // namespace lens
