#include "text/unigram.h"

#include "text/bpe.h"
#include "text/utf8.h"

#include <algorithm>
#include <limits>

namespace lens {

namespace {

using Type = SentencePieceModel::Type;

constexpr float unknownPenalty = 10.0f;

} // namespace

Unigram::Unigram(const SentencePieceModel &model) : m_byteFallback(model.byteFallback)
{
    float lowest = std::numeric_limits<float>::max(), highest = std::numeric_limits<float>::lowest();
    for (const auto &piece : model.pieces) {
        if (piece.type == Type::Normal) {
            lowest = std::min(lowest, piece.score);
            highest = std::max(highest, piece.score);
        }
    }
    for (std::size_t i = 0; i < model.pieces.size(); ++i) {
        const auto &[text, score, type] = model.pieces[i];
        const auto id = static_cast<TokenId>(i);
        if (type == Type::Normal)
            m_entries.push_back({text, id, score});
        else if (type == Type::UserDefined)  // beats any segmentation into ordinary pieces
            m_entries.push_back({text, id, static_cast<float>(text.size()) * highest - 0.1f});
        else if (type == Type::Unknown)
            m_unknown = id;
        else if (const auto byte = byteOfPiece(text); type == Type::Byte && byte)
            m_byteIds[*byte] = id;
    }
    m_unknownScore = lowest - unknownPenalty;
    std::sort(m_entries.begin(), m_entries.end(), [](const Entry &a, const Entry &b) { return a.text < b.text; });
}

std::vector<Unigram::Best> Unigram::bestPaths(std::string_view text) const
{
    std::vector<Best> best(text.size() + 1);
    best[0].isReached = true;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t character = utf8At(text, at).length;
        const auto offer = [&](std::size_t end, double score, TokenId id) {
            if (!best[end].isReached || best[at].score + score > best[end].score)
                best[end] = {best[at].score + score, at, id, true};
        };
        bool hasCharacter = false;
        auto first = m_entries.begin(), last = m_entries.end();
        for (std::size_t length = 1; at + length <= text.size() && first != last; ++length) {
            const auto byte = static_cast<unsigned char>(text[at + length - 1]);
            const auto byteOf = [length](const Entry &entry) {
                return entry.text.size() < length ? -1 : static_cast<unsigned char>(entry.text[length - 1]);
            };
            first = std::partition_point(first, last, [&](const Entry &entry) { return byteOf(entry) < byte; });
            last = std::partition_point(first, last, [&](const Entry &entry) { return byteOf(entry) <= byte; });
            if (first != last && first->text.size() == length) {
                offer(at + length, static_cast<double>(first->score), first->id);
                hasCharacter = hasCharacter || length == character;
            }
        }
        if (!hasCharacter)
            offer(at + character, static_cast<double>(m_unknownScore), m_unknown);
        at += character;
    }
    return best;
}

void Unigram::appendUnknown(std::string_view text, std::vector<TokenId> &ids) const
{
    if (!m_byteFallback) {
        ids.push_back(m_unknown);
        return;
    }
    for (const char c : text)
        ids.push_back(m_byteIds[static_cast<unsigned char>(c)]);
}

void Unigram::encode(std::string_view normalised, std::vector<TokenId> &ids) const
{
    const std::vector<Best> best = bestPaths(normalised);
    std::vector<std::size_t> ends;
    for (std::size_t end = normalised.size(); end > 0; end = best[end].from)
        ends.push_back(end);
    std::size_t unknownFrom = std::string_view::npos;
    const auto closeUnknown = [&](std::size_t end) {
        if (unknownFrom != std::string_view::npos)
            appendUnknown(normalised.substr(unknownFrom, end - unknownFrom), ids);
        unknownFrom = std::string_view::npos;
    };
    for (auto end = ends.rbegin(); end != ends.rend(); ++end) {
        const Best &step = best[*end];
        if (step.id == m_unknown) {
            unknownFrom = std::min(unknownFrom, step.from);
            continue;
        }
        closeUnknown(step.from);
        ids.push_back(step.id);
    }
    closeUnknown(normalised.size());
}

} // namespace lens
