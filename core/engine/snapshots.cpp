#include "engine/snapshots.h"

#include <algorithm>
#include <limits>

namespace lens {

std::uint64_t Snapshot::bytes() const
{
    return state.bytes() + ids.size() * sizeof(TokenId) + (logits ? logits->size() * sizeof(float) : 0);
}

void SnapshotStore::add(std::span<const TokenId> ids, const ModelState &state, const Logits &logits, bool lasting)
{
    for (Snapshot &known : m_snapshots) {
        if (std::ranges::equal(known.ids, ids)) {
            known.lastUse = ++m_clock;
            known.lasting |= lasting;
            if (logits)
                known.logits = logits;
            return;
        }
    }
    if (ids.empty() || state.bytes() > m_budget)
        return;
    m_snapshots.push_back({{ids.begin(), ids.end()}, state.clone(), logits, lasting, ++m_clock});
    while (bytes() > m_budget && m_snapshots.size() > 1)
        m_snapshots.erase(mostDispensable());
}

const Snapshot *SnapshotStore::best(std::span<const TokenId> prompt, Whole whole)
{
    Snapshot *found = nullptr;
    for (Snapshot &snapshot : m_snapshots) {
        const std::size_t size = snapshot.ids.size();
        const bool lacksLogits = whole == Whole::WithLogits && size == prompt.size() && !snapshot.logits;
        if (size > prompt.size() || lacksLogits || (found && size <= found->ids.size()))
            continue;
        if (std::ranges::equal(snapshot.ids, prompt.first(size)))
            found = &snapshot;
    }
    if (found)
        found->lastUse = ++m_clock;
    return found;
}

std::uint64_t SnapshotStore::bytes() const
{
    std::uint64_t sum = 0;
    for (const Snapshot &snapshot : m_snapshots)
        sum += snapshot.bytes();
    return sum;
}

std::list<Snapshot>::iterator SnapshotStore::mostDispensable()
{
    const auto newest = std::prev(m_snapshots.end());
    auto victim = m_snapshots.end();
    std::size_t smallestGap = std::numeric_limits<std::size_t>::max();
    for (auto it = m_snapshots.begin(); it != newest; ++it) {
        if (it->lasting)
            continue;
        std::size_t below = 0;
        std::size_t above = std::numeric_limits<std::size_t>::max();
        for (const Snapshot &other : m_snapshots) {
            const std::size_t position = other.ids.size();
            if (position < it->ids.size())
                below = std::max(below, position);
            else if (position > it->ids.size())
                above = std::min(above, position);
        }
        if (above - below < smallestGap) {
            smallestGap = above - below;
            victim = it;
        }
    }
    if (victim != m_snapshots.end())
        return victim;
    return std::min_element(m_snapshots.begin(), newest,
                            [](const Snapshot &a, const Snapshot &b) { return a.lastUse < b.lastUse; });
}

} // namespace lens
