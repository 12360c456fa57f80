// Models whose every logit depends on every earlier token through exact integers, so that any state that is lost,
// mixed up or leaked shows, and any way of cutting a text into passes gives the same bits.
#pragma once

#include "engine/engine.h"
#include "model/languagemodel.h"

#include <atomic>
#include <chrono>
#include <thread>

namespace fake {

inline std::uint64_t mix(std::uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/// A hash of all tokens so far: like a recurrent state it cannot go back.
class HashState final : public lens::SequenceState {
public:
    at::Tensor hash = at::zeros({1}, at::kLong);
    std::shared_ptr<const std::atomic<bool>> noRoomForCopies;

    std::unique_ptr<lens::SequenceState> clone() const override
    {
        TORCH_CHECK_WITH(OutOfMemoryError, !noRoomForCopies || !*noRoomForCopies, "tried to allocate 8 bytes");
        auto copy = std::make_unique<HashState>(*this);
        copy->hash = hash.clone();
        return copy;
    }
    std::uint64_t bytes() const override { return 8; }
    bool canTruncate() const override { return false; }
    bool truncate(std::int64_t) override { return false; }
    lens::NamedTensors tensors() const override { return {{"hash", hash}}; }
    lens::Result<void> assign(const lens::NamedTensors &tensors) override
    {
        const auto found = tensors.find("hash");
        if (found == tensors.end())
            return lens::fail(lens::ErrorCode::Mismatch, "no hash");
        hash = found->second.clone();
        return {};
    }
    void add(std::int64_t token)
    {
        const auto old = static_cast<std::uint64_t>(hash.item<std::int64_t>());
        hash = at::tensor(std::vector<std::int64_t>{static_cast<std::int64_t>(mix(old * 31 + static_cast<std::uint64_t>(token) + 1))});
    }
    std::uint64_t value() const { return static_cast<std::uint64_t>(hash.item<std::int64_t>()); }
};

/// All tokens so far: like a KV cache it grows and can be shortened.
class TokenCache final : public lens::SequenceState {
public:
    std::vector<std::int64_t> tokensSeen;

    std::unique_ptr<lens::SequenceState> clone() const override { return std::make_unique<TokenCache>(*this); }
    std::uint64_t bytes() const override { return tokensSeen.size() * 8; }
    bool canTruncate() const override { return true; }
    bool truncate(std::int64_t tokens) override
    {
        tokensSeen.resize(std::min(tokensSeen.size(), static_cast<std::size_t>(tokens)));
        return true;
    }
    lens::NamedTensors tensors() const override { return {{"tokens", at::tensor(tokensSeen, at::kLong)}}; }
    lens::Result<void> assign(const lens::NamedTensors &tensors) override
    {
        const auto found = tensors.find("tokens");
        if (found == tensors.end())
            return lens::fail(lens::ErrorCode::Mismatch, "no tokens");
        const at::Tensor values = found->second.contiguous();
        tokensSeen.assign(values.const_data_ptr<std::int64_t>(), values.const_data_ptr<std::int64_t>() + values.numel());
        return {};
    }
    std::uint64_t value() const
    {
        std::uint64_t hash = 0;
        for (const std::int64_t token : tokensSeen)
            hash = mix(hash * 37 + static_cast<std::uint64_t>(token) + 1);
        return hash;
    }
};

class Model final : public lens::LanguageModel {
public:
    std::int64_t vocabulary = 64;
    std::vector<bool> recurrentLayers;          ///< what each layer is
    std::vector<lens::TokenId> script;          ///< the token that greedy text has at each position; may be empty
    std::chrono::milliseconds delayPerLayer{0};
    std::uint64_t salt = 0;                     ///< another model
    std::int64_t nanAt = -1;                    ///< position whose logits are NaN
    std::int64_t failAt = -1;                   ///< position at which the second layer throws, once
    bool lacksMemory = false;                   ///< that this is what it throws
    const std::shared_ptr<std::atomic<bool>> noRoomForCopies = std::make_shared<std::atomic<bool>>(false);
    mutable std::atomic<std::int64_t> tokensComputed = 0;
    mutable std::atomic<bool> failed = false;

    explicit Model(std::vector<bool> layers) : recurrentLayers(std::move(layers)) {}

    lens::ModelInfo describe() const override
    {
        lens::ModelInfo info;
        info.name = "fake";
        info.fingerprint = "fake" + std::to_string(salt);
        info.layerCount = static_cast<std::int64_t>(recurrentLayers.size());
        info.heads = 2;
        info.vocabulary = vocabulary;
        info.trainedContext = 128;
        info.device = "cpu";
        for (const bool recurrent : recurrentLayers) {
            info.layers.emplace_back().mixer = recurrent ? "supra" : "softmax";
            if (!recurrent)
                info.kvBytesPerToken += 8;
        }
        return info;
    }
    at::Device device() const override { return at::kCPU; }
    at::ScalarType dtype() const override { return at::kFloat; }
    lens::ModelState initialState(std::int64_t) const override
    {
        std::vector<std::unique_ptr<lens::SequenceState>> layers;
        for (const bool recurrent : recurrentLayers) {
            if (!recurrent) {
                layers.push_back(std::make_unique<TokenCache>());
                continue;
            }
            auto state = std::make_unique<HashState>();
            state->noRoomForCopies = noRoomForCopies;
            layers.push_back(std::move(state));
        }
        return lens::ModelState(std::move(layers));
    }
    at::Tensor forward(const at::Tensor &tokens, lens::ModelState &state, const lens::ForwardOptions &options) const override
    {
        const std::int64_t count = tokens.size(1);
        tokensComputed += count;
        std::vector<std::uint64_t> sums(static_cast<std::size_t>(count), salt);
        for (std::size_t layer = 0; layer < recurrentLayers.size(); ++layer)
            forwardLayer(tokens, state, layer, options, sums);
        const std::int64_t position = state.position();
        state.advance(count);
        if (options.logits == lens::LogitsWanted::None)
            return {};
        const std::int64_t first = options.logits == lens::LogitsWanted::Last ? count - 1 : 0;
        std::vector<at::Tensor> rows;
        for (std::int64_t t = first; t < count; ++t)
            rows.push_back(logitsFor(sums[static_cast<std::size_t>(t)], position + t + 1));
        return at::stack(rows).unsqueeze(0);
    }

private:
    void forwardLayer(const at::Tensor &tokens, lens::ModelState &state, std::size_t layer, const lens::ForwardOptions &options,
                      std::vector<std::uint64_t> &sums) const
    {
        const auto index = static_cast<std::int64_t>(layer);
        const std::int64_t count = tokens.size(1);
        for (std::int64_t t = 0; t < count; ++t) {
            const std::int64_t token = tokens[0][t].item<std::int64_t>();
            std::uint64_t value = 0;
            if (recurrentLayers[layer]) {
                auto &own = static_cast<HashState &>(state.layer(layer));
                own.add(token);
                value = own.value();
            } else {
                auto &own = static_cast<TokenCache &>(state.layer(layer));
                own.tokensSeen.push_back(token);
                value = own.value();
            }
            sums[static_cast<std::size_t>(t)] = mix(sums[static_cast<std::size_t>(t)] + value);
        }
        std::this_thread::sleep_for(delayPerLayer);
        if (layer == 1 && failAt >= state.position() && failAt < state.position() + count && !failed.exchange(true)) {
            TORCH_CHECK_WITH(OutOfMemoryError, !lacksMemory, "tried to allocate 20 GiB");
            TORCH_CHECK(false, "the device is on fire");
        }
        if (recurrentLayers[layer] && lens::wanted(options.probe, lens::ProbeKind::StateNorm, index))
            options.probe->offer(lens::ProbeKind::StateNorm, index,
                                 at::arange(state.position(), state.position() + count).to(at::kFloat).expand({1, 2, count}) + index * 1000);
        if (state.position() == 0 && lens::wanted(options.probe, lens::ProbeKind::Attention, index))
            options.probe->offer(lens::ProbeKind::Attention, index, at::tril(at::ones({1, 2, count, count})) * (index + 1));
        if (lens::wanted(options.probe, lens::ProbeKind::Hidden, index))
            options.probe->offer(lens::ProbeKind::Hidden, index, at::zeros({1, count, 1}));
    }

    at::Tensor logitsFor(std::uint64_t sum, std::int64_t position) const
    {
        at::Tensor row = at::empty({vocabulary}, at::kFloat);
        auto *data = row.mutable_data_ptr<float>();
        for (std::int64_t id = 0; id < vocabulary; ++id)
            data[id] = static_cast<float>(mix(sum + static_cast<std::uint64_t>(id)) % 8000) / 1000.0f - 4.0f;
        if (position < static_cast<std::int64_t>(script.size()))
            data[script[static_cast<std::size_t>(position)]] = 100.0f;
        if (position == nanAt)
            data[3] = std::nanf("");
        return row;
    }
};

/// 0 ends the text, 1 begins it, 2 to 27 are "a" to "z", 28 " ", 29 and 30 the two bytes of "é", the rest upper case
/// pairs.
class LetterTokenizer final : public lens::Tokenizer {
public:
    explicit LetterTokenizer(std::size_t size) : m_size(size)
    {
        m_special.eos = 0;
        m_special.bos = 1;
    }
    lens::Result<std::vector<lens::TokenId>> encode(std::string_view text, const lens::EncodeOptions &) const override
    {
        std::vector<lens::TokenId> ids{1};
        for (const char c : text)
            ids.push_back(c == ' ' ? 28 : 2 + (c - 'a'));
        return ids;
    }
    std::string bytes(lens::TokenId id, bool skipSpecial) const override
    {
        if (id < 2)
            return skipSpecial ? "" : id == 0 ? "<end>" : "<begin>";
        if (id < 28)
            return std::string(1, static_cast<char>('a' + id - 2));
        if (id < 31)
            return id == 28 ? " " : id == 29 ? "\xC3" : "\xA9";
        return {static_cast<char>('A' + id % 26), static_cast<char>('A' + id % 7)};
    }
    std::string piece(lens::TokenId id) const override { return bytes(id, false); }
    bool isSpecial(lens::TokenId id) const override { return id < 2; }
    std::size_t size() const override { return m_size; }
    const lens::SpecialTokens &special() const override { return m_special; }
    std::string_view kind() const override { return "letters"; }
    std::string_view chatTemplate() const override { return {}; }

private:
    std::size_t m_size;
    lens::SpecialTokens m_special;
};

inline lens::LoadedModelPtr loaded(std::shared_ptr<const Model> model, std::size_t tokenizerSize = 60)
{
    lens::ModelInfo info = model->describe();
    return std::make_shared<const lens::LoadedModel>(info, model, std::make_shared<LetterTokenizer>(tokenizerSize), std::nullopt);
}

} // namespace fake
