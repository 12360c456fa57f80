// The check of sentencepiece's precompiled character map.
#include "text/charactermapunit.h"
#include "text/sentencepiecemodel.h"
#include "text/utf8.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace lens {

namespace {

// Longer than any replacement of Unicode's own normal forms; keeps hostile maps from blowing a text up.
constexpr std::size_t longestReplacement = 256;

// Visits every node that a lookup can reach from the root. The array may share ends of words, so it is a graph; it
// must have no cycle, and no path with more values than the buffer that the sentencepiece library collects them in.
class TrieCheck {
public:
    explicit TrieCheck(const CharacterMapView &map) : m_texts(map.replacements())
    {
        for (const std::uint32_t bits : map.units())
            m_units.push_back({bits});
        m_valuesBelow.assign(m_units.size(), unseen);
    }

    /// Empty when all is well.
    std::string problem()
    {
        if (std::string bad = enter(0); !bad.empty())
            return bad;
        while (!m_path.empty()) {
            Step &step = m_path.back();
            const std::size_t node = step.node;
            if (step.nextLabel == 256) {
                if (std::string bad = leave(); !bad.empty())
                    return bad;
                continue;
            }
            const std::uint32_t label = step.nextLabel++;
            const std::size_t child = (node ^ m_units[node].offset()) ^ label;
            if (m_units[child].label() != label)
                continue;
            if (m_valuesBelow[child] == onPath)
                return nodeName(child) + " contains itself";
            if (m_valuesBelow[child] != unseen)
                step.values = std::max(step.values, m_valuesBelow[child]);
            else if (std::string bad = enter(child); !bad.empty())
                return bad;
        }
        return {};
    }

private:
    static constexpr int unseen = -1, onPath = -2, mostValues = 32;

    struct Step {
        std::size_t node;
        std::uint32_t nextLabel;
        int values;  // the most values on a path below
    };

    static std::string nodeName(std::size_t node) { return "node " + std::to_string(node); }

    std::string enter(std::size_t node)
    {
        const std::size_t base = node ^ m_units[node].offset();
        if ((base | 0xFF) >= m_units.size())
            return nodeName(node) + " points outside the trie";
        if (m_units[node].hasLeaf()) {
            if (const std::string bad = problemOfValue(m_units[base].value()); !bad.empty())
                return nodeName(node) + " " + bad;
        }
        m_valuesBelow[node] = onPath;
        m_path.push_back({node, 0, 0});
        return {};
    }

    std::string leave()
    {
        const Step done = m_path.back();
        m_path.pop_back();
        const int values = done.values + (m_units[done.node].hasLeaf() ? 1 : 0);
        m_valuesBelow[done.node] = values;
        if (values > mostValues)
            return "more than " + std::to_string(mostValues) + " entries begin with one another";
        if (!m_path.empty())
            m_path.back().values = std::max(m_path.back().values, values);
        return {};
    }

    std::string problemOfValue(std::size_t start) const
    {
        if (start >= m_texts.size())
            return "has a replacement outside the texts";
        const std::size_t end = m_texts.find('\0', start);
        if (end == std::string_view::npos)
            return "has a replacement without an end";
        if (end - start > longestReplacement)
            return "has a replacement of " + std::to_string(end - start) + " bytes";
        if (!isValidUtf8(m_texts.substr(start, end - start)))
            return "has a replacement that is not valid UTF-8";
        return {};
    }

    std::string_view m_texts;
    std::vector<CharacterMapUnit> m_units;
    std::vector<int> m_valuesBelow;  // by node
    std::vector<Step> m_path;
};

} // namespace

Result<void> checkCharacterMap(std::string_view map, const std::string &where)
{
    constexpr const char *advice = "the tokenizer file is damaged or was made to do harm; get it from its source again";
    if (map.empty())
        return {};
    const CharacterMapView view(map);
    if (!view.hasHeader())
        return fail(ErrorCode::Truncated, "the character map is shorter than its header", where, advice);
    if (view.trieSize() > view.roomForTrie())
        return fail(ErrorCode::Truncated,
                    "the character map announces a trie of " + std::to_string(view.trieSize()) + " bytes, but has "
                        + std::to_string(view.roomForTrie()),
                    where, advice);
    // Darts lays its units out in blocks of 256.
    if (view.trieSize() == 0 || view.trieSize() % 1024 != 0)
        return fail(ErrorCode::Malformed, "the trie of the character map has " + std::to_string(view.trieSize())
                                              + " bytes",
                    where, advice);
    const std::string problem = TrieCheck(view).problem();
    if (!problem.empty())
        return fail(ErrorCode::Malformed, "in the character map, " + problem, where, advice);
    return {};
}

} // namespace lens
