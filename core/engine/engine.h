// The engine as the window and the command line see it: load, convert, generate, compare. No torch in here.
//
// Threads: a LoadedModel is immutable and may be shared by any number of DecodeSessions. A DecodeSession is used by
// one thread at a time. Callbacks run on the calling thread. All calls can last; all take a std::stop_token and
// return within 200 ms of a stop request, leaving the session valid.
#pragma once

#include "base/progress.h"
#include "base/result.h"
#include "convert/conversion.h"
#include "model/modelinfo.h"
#include "model/plugininfo.h"
#include "engine/modelfolders.h"
#include "engine/sampling.h"
#include "probe/frames.h"
#include "text/chattemplate.h"
#include "text/tokenizer.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace lens {

class LanguageModel;

struct LoadOptions {
    std::string device = "auto";
    std::string dtype = "auto";
    std::vector<std::string> modelFolders;  ///< where bare names are looked up; empty: standardModelFolders()
    std::vector<std::string> pluginFolders; ///< where further families are found; empty: the standard ones
};

struct MemoryEstimate {
    std::uint64_t weights = 0;       ///< bytes
    std::uint64_t stateAtContext = 0;///< KV cache or states at the trained context, bytes
    std::uint64_t working = 0;       ///< activations while a prompt is read, bytes
    std::uint64_t available = 0;     ///< on the device now; 0 when unknown
    std::uint64_t total() const { return weights + stateAtContext + working; }
};

/// Weights, tokenizer and facts of one model.
class LoadedModel {
public:
    LoadedModel(ModelInfo info, std::shared_ptr<const LanguageModel> model, TokenizerPtr tokenizer,
                std::optional<ChatTemplate> chatTemplate);
    ~LoadedModel();

    const ModelInfo &info() const { return m_info; }
    const TokenizerPtr &tokenizer() const { return m_tokenizer; }  ///< may be null
    const std::optional<ChatTemplate> &chatTemplate() const { return m_chatTemplate; }
    const std::shared_ptr<const LanguageModel> &model() const { return m_model; }

private:
    ModelInfo m_info;
    std::shared_ptr<const LanguageModel> m_model;
    TokenizerPtr m_tokenizer;
    std::optional<ChatTemplate> m_chatTemplate;
};

using LoadedModelPtr = std::shared_ptr<const LoadedModel>;

/// Every plugin that is found, opened if it can be. Empty `folders`: the standard ones ($SUPRALENS_PLUGINS, the user's
/// data folder, the program's own). May start a process to try a plugin that was not there before.
std::vector<PluginInfo> listPlugins(const std::vector<std::string> &folders = {});

/// Facts from the headers alone, of the model before any conversion that the specification asks for; fingerprint,
/// device and dtype stay empty, sizes that depend on a dtype are those of float32.
Result<ModelInfo> inspectModel(const std::string &path);

Result<MemoryEstimate> estimateMemory(const ModelInfo &info, const LoadOptions &options);

/// `specification` is a path, or a path followed by "@supra", "@t2r" or "@linear", each with options after colons
/// ("model.gguf@supra:retnet:identity:seed=3"): converted in memory after loading. Or "base.gguf@adapter=FILE"; an
/// adapter by itself (its file, or a folder with adapter.safetensors) is applied to its base, which is looked for beside
/// it and in the model folders: ErrorCode::NotFound says which one is wanted and where it was looked for.
Result<LoadedModelPtr> loadModel(const std::string &specification, const LoadOptions &options, std::stop_token stop = {},
                                 const ProgressFn &progress = {});

/// A softmax Llama or Mistral as SUPRA, T2R or plain linear attention, initialised for uptraining. Weights that do
/// not change are shared with `source`.
Result<LoadedModelPtr> convertModel(const LoadedModelPtr &source, const ConvertOptions &options, std::stop_token stop = {},
                                    const ProgressFn &progress = {});

/// `base` with an adapter file applied (see convert/adapter.h); weights that do not change are shared with it.
/// ErrorCode::Mismatch when the adapter was trained on a model with another fingerprint.
Result<LoadedModelPtr> adaptModel(const LoadedModelPtr &base, const std::string &adapterFile);

enum class SaveFormat { SupraLens, OpenLm };

/// Writes the model (safetensors and config.json, or open_lm's files) with its tokenizer files beside it.
Result<void> saveModel(const LoadedModel &model, const std::string &folder, SaveFormat format, std::stop_token stop = {},
                       const ProgressFn &progress = {});

struct TokenAlternative {
    TokenId id = 0;
    std::string text;     ///< the token alone, as it would be shown
    float logprob = 0;    ///< natural logarithm, under the model's own distribution (temperature 1, no penalties)
};

struct TokenEvent {
    TokenId id = 0;
    std::string text;        ///< text that became complete with this token and is no part of a stop string; may be empty
    std::int64_t position = 0;  ///< in the whole sequence
    float logprob = 0;
    std::vector<TokenAlternative> alternatives;  ///< most probable first
    double seconds = 0;      ///< since generate() was called
    std::uint64_t stateBytes = 0;
};

enum class StopReason { EndOfText, MaxTokens, StopString, Cancelled, ContextFull };

const char *name(StopReason reason);

struct GenerationResult {
    std::vector<TokenId> promptIds;
    std::vector<TokenId> ids;       ///< what was generated, the final end-of-text token included
    std::string text;
    StopReason reason = StopReason::MaxTokens;
    double prefillSeconds = 0;
    double decodeSeconds = 0;
    double firstTokenSeconds = 0;   ///< from the call to the first token
    std::int64_t reusedTokens = 0;  ///< prompt tokens whose state was restored, not computed
    std::uint64_t stateBytes = 0;
    double tokensPerSecond() const { return decodeSeconds > 0 ? double(ids.size() > 1 ? ids.size() - 1 : 0) / decodeSeconds : 0; }
};

struct GenerationCallbacks {
    std::function<void(const TokenEvent &)> token;
    ProgressFn progress;                                    ///< prefill, in tokens
    std::function<void(const HeadFrame &)> stateNorms; ///< empty: not measured
    std::function<void(const HeadFrame &)> retention;  ///< empty: not measured
};

/// One column's conversation with one model: its state, and snapshots of it to go back to.
class DecodeSession {
public:
    static Result<std::unique_ptr<DecodeSession>> create(LoadedModelPtr model);
    ~DecodeSession();

    const LoadedModelPtr &model() const;

    /// Continues `promptIds`. There is no limit but maxTokens and memory: StopReason::ContextFull says that the KV cache
    /// would outgrow what is free. State norms are delivered for what is computed, not for what is restored, and not at
    /// all by models without a recurrent layer. When a stop request ends it, the result's text may hold a last piece that
    /// no event carried (it might have become a stop string). Whatever prefix of it this session has already seen is restored from the KV cache or
    /// from a snapshot, not computed again. A stop request ends it with StopReason::Cancelled and what was generated.
    Result<GenerationResult> generate(std::span<const TokenId> promptIds, const GenerationOptions &options,
                                      const GenerationCallbacks &callbacks, std::stop_token stop);

    /// Tokens the state stands for now.
    std::span<const TokenId> tokens() const;
    std::uint64_t stateBytes() const;

    /// The whole state as a file, and back; the model must have the same fingerprint (ErrorCode::Mismatch).
    Result<void> saveState(const std::string &file) const;
    Result<void> restoreState(const std::string &file);

    /// Frees states and snapshots.
    void clear();

private:
    struct Impl;
    explicit DecodeSession(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> m_impl;
};

/// Ids of a conversation, through the model's chat template (its last user turn answered next; an answer at the end is
/// continued), or plain text when it has none: then the contents are joined by nothing.
Result<std::vector<TokenId>> encodeConversation(const LoadedModel &model, std::span<const ChatMessage> messages);

/// Both models on the same ids; their vocabularies must have equal size (ErrorCode::Mismatch).
Result<ForcedComparison> compareForced(const LoadedModel &first, const LoadedModel &second, std::span<const TokenId> ids,
                                       std::stop_token stop = {}, const ProgressFn &progress = {});

/// Attention of one model over `ids` (at most `attentionLimit` of them). Holds all matrices.
class AttentionMap {
public:
    static Result<std::shared_ptr<const AttentionMap>> measure(const LoadedModel &model, std::span<const TokenId> ids,
                                                               std::stop_token stop = {}, const ProgressFn &progress = {});
    ~AttentionMap();

    std::int64_t tokens() const;
    std::int64_t layers() const;
    std::int64_t heads() const;
    const AttentionSummary &summary() const;
    HeadAttention head(std::int64_t layer, std::int64_t head, RowScaling scaling) const;

    /// Errors of `other` relative to this one; both scaled by `scaling` (softmax rows sum to one already).
    Result<AttentionErrors> errors(const AttentionMap &other, RowScaling scaling) const;

private:
    struct Impl;
    explicit AttentionMap(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> m_impl;
};

/// Most tokens AttentionMap takes for this model so that its matrices stay within 256 MiB.
std::int64_t attentionLimit(const ModelInfo &info);

} // namespace lens
