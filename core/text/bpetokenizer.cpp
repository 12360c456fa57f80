#include "text/bpetokenizer.h"

#include "text/bytealphabet.h"

#include <algorithm>

namespace lens {

// Most words of a text occur again; long ones do not, and are not worth the memory.
struct BpeTokenizer::WordCache {
    static constexpr std::size_t longestWord = 64;

    std::unordered_map<std::string, std::vector<TokenId>, StringHash, std::equal_to<>> ids;
};

std::string BpeTokenizer::bytes(TokenId id, bool skipSpecial) const
{
    if (!inRange(id) || (skipSpecial && isSpecial(id)))
        return {};
    const std::string &piece = pieceAt(id);
    if (!m_parts.isVerbatim.empty() && m_parts.isVerbatim[static_cast<std::size_t>(id)])
        return piece;
    if (m_parts.spelling == BpeParts::Spelling::ByteAlphabet)
        return fromByteAlphabet(piece).value_or(piece);
    if (const auto byte = byteOfPiece(piece))
        return std::string(1, static_cast<char>(*byte));
    return withSpaces(piece);
}

std::string_view BpeTokenizer::kind() const
{
    return m_parts.spelling == BpeParts::Spelling::ByteAlphabet ? "byte-level BPE" : "BPE with byte fallback";
}

Result<void> BpeTokenizer::encodeBody(std::string_view text, std::span<const ByteRange> control,
                                      std::vector<TokenId> &ids) const
{
    WordCache cache;
    for (const Fragment &fragment : m_parts.beforeNormalizing.split(text, control)) {
        const auto [begin, end] = fragment.range;
        if (fragment.token) {
            ids.push_back(fragment.token->id);
            continue;
        }
        std::vector<ByteRange> inside;
        for (const ByteRange &range : control) {
            if (range.begin < end && range.end > begin)
                inside.push_back({std::max(range.begin, begin) - begin, std::min(range.end, end) - begin});
        }
        if (auto done = encodeFragment(text.substr(begin, end - begin), inside, begin == 0, cache, ids); !done)
            return done;
    }
    return {};
}

Result<void> BpeTokenizer::encodeFragment(std::string_view text, std::span<const ByteRange> control, bool isStart,
                                          WordCache &cache, std::vector<TokenId> &ids) const
{
    std::string normal = repairedUtf8(text, m_parts.repair);
    // Normalising moves positions, so a control token after it is only recognised where all of the fragment is control.
    const bool allControl = control.size() == 1 && control.front().end - control.front().begin == text.size();
    std::vector<ByteRange> allowed(control.begin(), control.end());
    if (!m_parts.normalizer.empty() || normal.size() != text.size()) {
        normal = m_parts.normalizer.apply(std::move(normal));
        allowed.assign(allControl ? 1 : 0, ByteRange{0, normal.size()});
    }
    for (const Fragment &fragment : m_parts.afterNormalizing.split(normal, allowed)) {
        if (fragment.token) {
            ids.push_back(fragment.token->id);
            continue;
        }
        const auto [begin, end] = fragment.range;
        auto words = m_parts.preTokenizer.words(std::string_view(normal).substr(begin, end - begin),
                                                isStart && begin == 0);
        if (!words)
            return propagate(words);
        for (const std::string &word : *words) {
            if (word.size() > WordCache::longestWord) {
                m_parts.bpe.encode(word, ids);
                continue;
            }
            const auto [entry, isNew] = cache.ids.try_emplace(word);
            if (isNew)
                m_parts.bpe.encode(word, entry->second);
            ids.insert(ids.end(), entry->second.begin(), entry->second.end());
        }
    }
    return {};
}

} // namespace lens
