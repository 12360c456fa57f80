// Copies of a sequence's state to go back to. For models whose state cannot be shortened (recurrent ones).
#pragma once

#include "engine/logits.h"
#include "model/modelstate.h"
#include "text/tokenizer.h"

#include <cstdint>
#include <list>
#include <span>
#include <vector>

namespace lens {

struct Snapshot {
    std::vector<TokenId> ids;  ///< what the state stands for
    ModelState state;
    Logits logits;             ///< of the next token; may be null
    bool lasting = false;      ///< end of a prompt or an answer: kept longer than those taken on the way
    std::uint64_t lastUse = 0;

    std::uint64_t bytes() const;
};

class SnapshotStore {
public:
    explicit SnapshotStore(std::uint64_t budget) : m_budget(budget) {}

    /// Copies `state`, then drops others until the budget holds: of those taken on the way, the one nearest to its
    /// neighbours; when none is left, the one unused for longest. A state larger than the budget is not kept.
    void add(std::span<const TokenId> ids, const ModelState &state, const Logits &logits, bool lasting);

    enum class Whole { Any, WithLogits };

    /// The longest one that `prompt` starts with. One for all of it must have logits when `whole` says so, since there
    /// is nothing left to feed then. Null when there is none.
    const Snapshot *best(std::span<const TokenId> prompt, Whole whole);

    std::uint64_t bytes() const;
    std::size_t size() const { return m_snapshots.size(); }
    void clear() { m_snapshots.clear(); }

private:
    std::list<Snapshot>::iterator mostDispensable();

    std::uint64_t m_budget;
    std::uint64_t m_clock = 0;
    std::list<Snapshot> m_snapshots;
};

} // namespace lens
