// An engine without weights: known models, made-up tokens at a chosen pace, so that windows can be tested alone.
#pragma once

#include "bridge/engineapi.h"

#include <QString>
#include <QStringList>

#include <atomic>
#include <chrono>
#include <map>

namespace lens {

class FakeEngine : public Engine {
public:
    /// What models of this name answer; the last word of each list ends the text.
    std::map<std::string, std::vector<std::string>> answers;
    std::chrono::milliseconds pause{2}; ///< before each token
    std::chrono::milliseconds loading{20};
    std::atomic<int> generations = 0;
    std::vector<PluginInfo> knownPlugins;
    std::string failsToLoad; ///< a path that cannot be loaded

    Result<ModelInfo> inspect(const std::string &path) override;
    Result<MemoryEstimate> estimate(const ModelInfo &info, const LoadOptions &options) override;
    Result<LoadedModelPtr> load(const std::string &specification, const LoadOptions &options, std::stop_token stop,
                                const ProgressFn &progress) override;
    Result<LoadedModelPtr> convert(const LoadedModelPtr &source, const ConvertOptions &options, std::stop_token stop,
                                   const ProgressFn &progress) override;
    Result<LoadedModelPtr> adapt(const LoadedModelPtr &base, const std::string &adapterFile) override;
    Result<void> save(const LoadedModel &model, const std::string &folder, SaveFormat format, std::stop_token stop,
                      const ProgressFn &progress) override;
    Result<std::unique_ptr<ColumnEngine>> openColumn(LoadedModelPtr model) override;
    Result<ForcedComparison> compare(const LoadedModel &first, const LoadedModel &second, std::span<const TokenId> ids,
                                     std::stop_token stop, const ProgressFn &progress) override;
    Result<std::shared_ptr<const AttentionMap>> attention(const LoadedModel &model, std::span<const TokenId> ids,
                                                          std::stop_token stop, const ProgressFn &progress) override;
    std::vector<PluginInfo> plugins() override { return knownPlugins; }
    std::vector<std::string> tokenTexts(const LoadedModel &model, std::span<const TokenId> ids) override;
};

/// Facts of a small made-up model.
ModelInfo fakeInfo(const std::string &name, const std::string &mixer);

} // namespace lens
