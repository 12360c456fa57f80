// One sequence going through one model: its state, the tokens it stands for, and snapshots to go back to. State and
// tokens agree at any time outside of feed(), whatever went wrong inside.
#pragma once

#include "engine/logits.h"
#include "engine/headcollector.h"
#include "engine/snapshots.h"
#include "model/decodestep.h"

#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

namespace lens {

enum class Fed { All, Stopped };

class SequenceRunner {
public:
    static constexpr std::uint64_t snapshotBudget = 256ull << 20;
    static constexpr std::int64_t snapshotInterval = 256;  ///< tokens between two snapshots taken on the way

    static Result<SequenceRunner> create(LanguageModelPtr model, std::uint64_t budget = snapshotBudget);

    at::Device device() const { return m_model->device(); }
    std::span<const TokenId> ids() const { return m_ids; }
    const ModelState &state() const { return m_state; }

    /// Of the token after ids(); null when they are not known.
    const Logits &logits() const { return m_logits; }

    /// Goes to the longest known beginning of `prompt` (not empty), from which what is left can be fed. All of it only
    /// when the logits after it are known too. Returns its length.
    Result<std::int64_t> rewind(std::span<const TokenId> prompt);

    /// Feeds tokens (not empty) in one pass. A stop request is heeded between layers; the sequence then goes back to
    /// where it was. So it does after an error. Only from a token that DecodeStep was stopped at, which changes
    /// recurrent states in place, it goes back to the last snapshot.
    Result<Fed> feed(std::span<const TokenId> ids, bool wantLogits, std::span<HeadCollector> collectors, std::stop_token stop);

    /// Feeds one token that the host does not know yet, [1] int64 on the model's device, and returns the logits [V]
    /// after it, there as well: without waiting for the device, unless a collector wants something. Until the token is
    /// kept or taken back, nothing else may be fed, and ids() and logits() stay what they were. Undefined logits when
    /// stopped; then and after an error there is nothing to take back.
    Result<at::Tensor> feedAhead(const at::Tensor &id, std::span<HeadCollector> collectors, std::stop_token stop);

    /// The token fed ahead turned out to be `id` and belongs to the sequence, whose logits are then not known before
    /// setLogits().
    void keepAhead(TokenId id);

    /// The sequence goes back to before the token fed ahead, if there is one, and the collectors forget it.
    void takeBack(std::span<HeadCollector> collectors);

    /// [V], of the token after ids(). Nothing when empty.
    void setLogits(std::span<const float> logits);

    /// Remembers this point if there is memory for it, unless the state can be shortened and needs no snapshots.
    void takeSnapshot(bool lasting);

    /// Puts a state from elsewhere in place of this one.
    Result<void> assign(std::vector<TokenId> ids, const NamedTensors &state, Logits logits);

    void clear();

    /// Whether single tokens go the way of prompts although there is a DecodeStep.
    void usePlainPath(bool plain) { m_isPlain = plain; }

private:
    SequenceRunner(LanguageModelPtr model, std::unique_ptr<DecodeStep> step, ModelState state, bool needsSnapshots,
                   std::uint64_t budget);

    std::int64_t rewindUnguarded(std::span<const TokenId> prompt);
    Result<void> rememberWayBack();
    template <class Pass>
    Result<Fed> run(std::int64_t tokens, std::span<HeadCollector> collectors, std::stop_token stop, Pass &&pass);
    bool mayGoInPlace(std::size_t tokens) const { return m_step && !m_isPlain && tokens == 1; }
    void forward(std::span<const TokenId> ids, bool wantLogits, ProbeSink &probe);
    at::Tensor forward(const at::Tensor &ids, bool wantLogits, ProbeSink &probe);
    void append(std::span<const TokenId> ids);
    void restore(const Snapshot *snapshot);
    void recover(std::int64_t position);

    LanguageModelPtr m_model;
    std::unique_ptr<DecodeStep> m_step;  // null where there is only the plain path
    bool m_isPlain = false;
    ModelState m_state;
    std::optional<ModelState::Point> m_before;  // the pass under way, or the token fed ahead
    std::vector<TokenId> m_ids;
    Logits m_logits;
    std::shared_ptr<std::vector<float>> m_buffer;  // of m_logits; written again once nobody else holds it
    bool m_needsSnapshots;
    std::int64_t m_lastSnapshot = 0;
    SnapshotStore m_snapshots;
};

} // namespace lens
