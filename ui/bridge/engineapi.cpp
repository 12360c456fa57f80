#include "bridge/engineapi.h"

namespace lens {
namespace {

class SessionEngine : public ColumnEngine {
public:
    explicit SessionEngine(std::unique_ptr<DecodeSession> session) : m_session(std::move(session)) {}

    Result<std::vector<TokenId>> encode(std::span<const ChatMessage> messages) override
    {
        return encodeConversation(*m_session->model(), messages);
    }

    Result<GenerationResult> generate(std::span<const TokenId> promptIds, const GenerationOptions &options,
                                      const GenerationCallbacks &callbacks, std::stop_token stop) override
    {
        return m_session->generate(promptIds, options, callbacks, stop);
    }

private:
    std::unique_ptr<DecodeSession> m_session;
};

class LocalEngine : public Engine {
public:
    Result<ModelInfo> inspect(const std::string &path) override { return inspectModel(path); }

    Result<MemoryEstimate> estimate(const ModelInfo &info, const LoadOptions &options) override
    {
        return estimateMemory(info, options);
    }

    Result<LoadedModelPtr> load(const std::string &specification, const LoadOptions &options, std::stop_token stop,
                                const ProgressFn &progress) override
    {
        return loadModel(specification, options, stop, progress);
    }

    Result<LoadedModelPtr> convert(const LoadedModelPtr &source, const ConvertOptions &options, std::stop_token stop,
                                   const ProgressFn &progress) override
    {
        return convertModel(source, options, stop, progress);
    }

    Result<LoadedModelPtr> adapt(const LoadedModelPtr &base, const std::string &adapterFile) override
    {
        return adaptModel(base, adapterFile);
    }

    Result<void> save(const LoadedModel &model, const std::string &folder, SaveFormat format, std::stop_token stop,
                      const ProgressFn &progress) override
    {
        return saveModel(model, folder, format, stop, progress);
    }

    Result<std::unique_ptr<ColumnEngine>> openColumn(LoadedModelPtr model) override
    {
        auto session = DecodeSession::create(std::move(model));
        if (!session)
            return propagate(session);
        return std::make_unique<SessionEngine>(std::move(*session));
    }

    Result<ForcedComparison> compare(const LoadedModel &first, const LoadedModel &second, std::span<const TokenId> ids,
                                     std::stop_token stop, const ProgressFn &progress) override
    {
        return compareForced(first, second, ids, stop, progress);
    }

    Result<std::shared_ptr<const AttentionMap>> attention(const LoadedModel &model, std::span<const TokenId> ids,
                                                          std::stop_token stop, const ProgressFn &progress) override
    {
        return AttentionMap::measure(model, ids, stop, progress);
    }

    std::vector<PluginInfo> plugins() override { return listPlugins(); }

    std::vector<std::string> tokenTexts(const LoadedModel &model, std::span<const TokenId> ids) override
    {
        std::vector<std::string> texts;
        texts.reserve(ids.size());
        for (const TokenId id : ids) {
            const auto &tokenizer = model.tokenizer();
            if (!tokenizer) {
                texts.push_back("#" + std::to_string(id));
                continue;
            }
            std::string bytes = tokenizer->bytes(id, true);
            texts.push_back(bytes.empty() ? tokenizer->piece(id) : std::move(bytes));
        }
        return texts;
    }
};

} // namespace

std::unique_ptr<Engine> makeEngine()
{
    return std::make_unique<LocalEngine>();
}

} // namespace lens
