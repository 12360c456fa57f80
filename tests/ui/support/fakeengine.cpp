#include "ui/support/fakeengine.h"

#include <cmath>
#include <thread>

namespace lens {
namespace {

const std::vector<std::string> softmaxAnswer{
    "the",    " little", " fox",  " ran", " to",   " the", " river", " because", " he",     " wanted", " to",
    " see",   " the",    " big",  " red", " boat", ".",    "\n",     "He",       " looked", " at",     " the",
    " water", " and",    " said", ",",    " I",    " can", " swim",  "!",        ""};
const std::vector<std::string> supraAnswer{"the",      " little", " fox",    " ran",  " to",   " the",   " river",
                                           " because", " he",     " wanted", " to",   " play", " with",  " the",
                                           " bird",    ".",       " The",    " bird", " was",  " happy", " and",
                                           " they",    " sang",   " a",      " song", ".",     ""};

TokenId idOf(const std::string &word)
{
    std::uint32_t hash = 2166136261u;
    for (const char c : word)
        hash = (hash ^ std::uint8_t(c)) * 16777619u;
    return TokenId(hash % 500);
}

float logprobOf(std::size_t position)
{
    return -0.05f - 2.2f * float(std::pow(std::sin(double(position) * 1.7), 4));
}

class FakeColumn : public ColumnEngine {
public:
    FakeColumn(FakeEngine &engine, LoadedModelPtr model) : m_engine(engine), m_model(std::move(model)) {}

    Result<std::vector<TokenId>> encode(std::span<const ChatMessage> messages) override
    {
        std::vector<TokenId> ids{1};
        for (const ChatMessage &message : messages) {
            for (std::size_t at = 0; at < message.content.size() && ids.size() < 4000; at += 4)
                ids.push_back(idOf(message.content.substr(at, 4)));
        }
        return ids;
    }

    Result<GenerationResult> generate(std::span<const TokenId> promptIds, const GenerationOptions &options,
                                      const GenerationCallbacks &callbacks, std::stop_token stop) override
    {
        ++m_engine.generations;
        GenerationResult result;
        result.promptIds.assign(promptIds.begin(), promptIds.end());
        result.reason = StopReason::EndOfText;
        const ModelInfo &info = m_model->info();
        const auto found = m_engine.answers.find(info.name);
        const auto &words = found != m_engine.answers.end() ? found->second
                            : info.mixer == "softmax"       ? softmaxAnswer
                                                            : supraAnswer;
        const auto begin = std::chrono::steady_clock::now();
        if (callbacks.stateNorms && info.stateBytes > 0)
            callbacks.stateNorms(norms(0, std::int64_t(promptIds.size())));
        for (std::size_t i = 0; i < words.size(); ++i) {
            std::this_thread::sleep_for(m_engine.pause);
            if (stop.stop_requested() || std::int64_t(i) >= options.maxTokens) {
                result.reason = stop.stop_requested() ? StopReason::Cancelled : StopReason::MaxTokens;
                break;
            }
            TokenEvent event = eventFor(words[i], i, std::int64_t(promptIds.size() + i));
            event.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
            if (i == 0)
                result.firstTokenSeconds = event.seconds;
            result.ids.push_back(event.id);
            result.text += event.text;
            result.stateBytes = event.stateBytes;
            callbacks.token(event);
            if (callbacks.stateNorms && info.stateBytes > 0)
                callbacks.stateNorms(norms(event.position, 1));
        }
        result.decodeSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        return result;
    }

private:
    TokenEvent eventFor(const std::string &word, std::size_t index, std::int64_t position) const
    {
        TokenEvent event;
        event.id = idOf(word);
        event.text = word;
        event.position = position;
        event.logprob = logprobOf(index);
        event.alternatives = {
            {event.id, word, event.logprob}, {7, " dog", -2.5f}, {8, " \n", -3.1f}, {9, " ‘quoted’", -4.6f}};
        const ModelInfo &info = m_model->info();
        event.stateBytes = info.stateBytes + info.kvBytesPerToken * std::uint64_t(position + 1);
        return event;
    }

    HeadFrame norms(std::int64_t first, std::int64_t count) const
    {
        const ModelInfo &info = m_model->info();
        HeadFrame frame{first, count, info.layerCount, info.heads, {}};
        for (std::int64_t t = first; t < first + count; ++t) {
            for (std::int64_t i = 0; i < info.layerCount * info.heads; ++i)
                frame.values.push_back(float(std::sqrt(double(t + 1)) * (1 + double(i % 7)) / 5));
        }
        return frame;
    }

    FakeEngine &m_engine;
    LoadedModelPtr m_model;
};

Result<LoadedModelPtr> made(ModelInfo info)
{
    return std::make_shared<const LoadedModel>(std::move(info), nullptr, nullptr, std::nullopt);
}

} // namespace

ModelInfo fakeInfo(const std::string &name, const std::string &mixer)
{
    ModelInfo info;
    info.name = name;
    info.path = "/models/" + name + ".gguf";
    info.format = "GGUF";
    info.architecture = "llama";
    info.mixer = mixer;
    info.storage = "F16 (38), F32 (13)";
    info.layerCount = 6;
    info.hiddenSize = 192;
    info.heads = info.kvHeads = 6;
    info.keyDim = info.valueDim = 32;
    info.feedForward = 512;
    info.vocabulary = 512;
    info.trainedContext = 512;
    info.parameters = 2900000;
    info.fileBytes = 5800000;
    info.tokenizer = "sentencepiece";
    if (mixer == "softmax") {
        info.kvBytesPerToken = 9216;
    } else {
        info.stateBytes = 622592;
        info.untrained = true;
        info.origin = "converted, SUPRA, Lightning decay";
    }
    for (int layer = 0; layer < 6; ++layer) {
        LayerInfo facts;
        facts.mixer = mixer;
        for (int head = 0; mixer != "softmax" && head < 6; ++head)
            facts.gamma.push_back(1 - std::pow(2.0, -2.0 - head));
        info.layers.push_back(facts);
    }
    return info;
}

Result<ModelInfo> FakeEngine::inspect(const std::string &path)
{
    if (path == failsToLoad)
        return fail(ErrorCode::Truncated, "the header ends at byte 7", path, "download the file again");
    const std::size_t slash = path.rfind('/');
    std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    name = name.substr(0, name.find('.'));
    return fakeInfo(name, name.find("supra") == std::string::npos ? "softmax" : "supra");
}

Result<MemoryEstimate> FakeEngine::estimate(const ModelInfo &info, const LoadOptions &)
{
    return MemoryEstimate{info.parameters * 4, info.kvBytesPerToken * 512, 4 << 20, 8ull << 30};
}

Result<LoadedModelPtr> FakeEngine::load(const std::string &specification, const LoadOptions &, std::stop_token stop,
                                        const ProgressFn &progress)
{
    for (int i = 0; i < 10; ++i) {
        std::this_thread::sleep_for(loading / 10);
        if (stop.stop_requested())
            return fail(ErrorCode::Cancelled, "loading was stopped");
        if (progress)
            progress({"reading weights", std::uint64_t(i), 10});
    }
    auto info = inspect(specification.substr(0, specification.find('@')));
    if (!info)
        return propagate(info);
    if (specification.find('@') != std::string::npos)
        *info = fakeInfo(info->name + "-supra", "supra");
    info->path = specification;
    info->device = "cpu";
    info->dtype = "float32";
    info->weightBytes = info->parameters * 4;
    info->fingerprint =
        info->mixer == "softmax" ? "3f9a12c04bd97e5512aa00c9b1d3e8f7" : "b771e0a90c44d1f3e2290b6788cc1d05";
    return made(*info);
}

Result<LoadedModelPtr> FakeEngine::convert(const LoadedModelPtr &source, const ConvertOptions &, std::stop_token stop,
                                           const ProgressFn &progress)
{
    return load(source->info().path + "@supra", {}, stop, progress);
}

Result<LoadedModelPtr> FakeEngine::adapt(const LoadedModelPtr &base, const std::string &adapterFile)
{
    return load(base->info().path + "@adapter=" + adapterFile, {}, {}, {});
}

Result<void> FakeEngine::save(const LoadedModel &, const std::string &, SaveFormat, std::stop_token, const ProgressFn &)
{
    return {};
}

Result<std::unique_ptr<ColumnEngine>> FakeEngine::openColumn(LoadedModelPtr model)
{
    return std::make_unique<FakeColumn>(*this, std::move(model));
}

Result<ForcedComparison> FakeEngine::compare(const LoadedModel &, const LoadedModel &, std::span<const TokenId> ids,
                                             std::stop_token, const ProgressFn &)
{
    ForcedComparison comparison;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
        comparison.kl.push_back(
            float(0.1 + 1.5 * std::pow(std::sin(double(i) * 0.7), 2) * double(i) / double(ids.size())));
        comparison.nllFirst.push_back(1);
        comparison.nllSecond.push_back(2);
        comparison.sameTop.push_back(i % 3 != 0);
    }
    return comparison;
}

Result<std::shared_ptr<const AttentionMap>> FakeEngine::attention(const LoadedModel &, std::span<const TokenId>,
                                                                  std::stop_token, const ProgressFn &)
{
    return fail(ErrorCode::Unsupported, "made-up models have no attention");
}

std::vector<std::string> FakeEngine::tokenTexts(const LoadedModel &, std::span<const TokenId> ids)
{
    std::vector<std::string> texts;
    for (const TokenId id : ids)
        texts.push_back("w" + std::to_string(id));
    return texts;
}

} // namespace lens
