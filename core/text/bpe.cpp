#include "text/bpe.h"

#include "text/utf8.h"

#include <queue>

namespace lens {

namespace {

std::uint64_t pairKey(TokenId left, TokenId right)
{
    return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) | static_cast<std::uint32_t>(right);
}

struct Candidate {
    std::uint32_t rank;
    int at;
    TokenId left, right;

    bool operator>(const Candidate &other) const
    {
        return rank != other.rank ? rank > other.rank : at > other.at;
    }
};

int hexDigit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

} // namespace

std::string bytePieceName(unsigned char byte)
{
    constexpr std::string_view digits = "0123456789ABCDEF";
    return std::string("<0x") + digits[byte >> 4] + digits[byte & 15] + '>';
}

std::optional<unsigned char> byteOfPiece(std::string_view piece)
{
    if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>')
        return std::nullopt;
    const int high = hexDigit(piece[3]), low = hexDigit(piece[4]);
    if (high < 0 || low < 0)
        return std::nullopt;
    return static_cast<unsigned char>(high * 16 + low);
}

Result<Bpe> Bpe::make(PieceIds pieces, const std::vector<Merge> &merges, const BpeOptions &options,
                      const std::string &where)
{
    Bpe bpe;
    bpe.m_pieces = std::move(pieces);
    bpe.m_options = options;
    bpe.m_merges.reserve(merges.size());
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
        const auto &[left, right] = merges[rank];
        const auto leftId = bpe.find(left), rightId = bpe.find(right), id = bpe.find(std::string(left).append(right));
        if (!leftId || !rightId || !id)
            return fail(ErrorCode::Malformed,
                        "merge " + std::to_string(rank) + " names a piece that the vocabulary lacks", where,
                        "the vocabulary and the merges belong to different tokenizers; get the file again");
        // A repeated merge keeps the later rank, as the reference's map does.
        bpe.m_merges.insert_or_assign(pairKey(*leftId, *rightId), MergeTo{static_cast<std::uint32_t>(rank), *id});
    }
    if (options.byteFallback) {
        std::array<TokenId, 256> ids{};
        bool complete = true;
        for (int byte = 0; byte < 256; ++byte) {
            const auto id = bpe.find(bytePieceName(static_cast<unsigned char>(byte)));
            ids[static_cast<std::size_t>(byte)] = id.value_or(-1);
            complete = complete && id;
        }
        if (complete)
            bpe.m_bytePieces = ids;
    }
    return bpe;
}

std::optional<TokenId> Bpe::find(std::string_view piece) const
{
    const auto found = m_pieces.find(piece);
    return found == m_pieces.end() ? std::nullopt : std::optional(found->second);
}

const Bpe::MergeTo *Bpe::mergeOf(TokenId left, TokenId right) const
{
    if (left < 0 || right < 0)
        return nullptr;
    const auto found = m_merges.find(pairKey(left, right));
    return found == m_merges.end() ? nullptr : &found->second;
}

void Bpe::appendUnknown(std::string_view character, std::vector<Symbol> &symbols) const
{
    if (m_bytePieces) {
        for (const char c : character)
            symbols.push_back({(*m_bytePieces)[static_cast<unsigned char>(c)], 0, 0});
    } else if (m_options.unknown) {
        const bool fused = m_options.fuseUnknown && !symbols.empty() && symbols.back().id == *m_options.unknown;
        if (!fused)
            symbols.push_back({*m_options.unknown, 0, 0});
    } else if (m_options.unknownBlocksMerges) {
        symbols.push_back({-1, 0, 0});
    }
}

std::vector<Bpe::Symbol> Bpe::symbolsOf(std::string_view word) const
{
    std::vector<Symbol> symbols;
    symbols.reserve(word.size());
    for (std::size_t at = 0; at < word.size();) {
        const std::size_t length = utf8At(word, at).length;
        const std::string_view character = word.substr(at, length);
        if (const auto id = find(character))
            symbols.push_back({*id, 0, 0});
        else
            appendUnknown(character, symbols);
        at += length;
    }
    const int count = static_cast<int>(symbols.size());
    for (int i = 0; i < count; ++i) {
        symbols[static_cast<std::size_t>(i)].previous = i - 1;
        symbols[static_cast<std::size_t>(i)].next = i + 1 < count ? i + 1 : -1;
    }
    return symbols;
}

void Bpe::encode(std::string_view word, std::vector<TokenId> &ids) const
{
    if (m_options.wholeWordFirst) {
        if (const auto id = find(word)) {
            ids.push_back(*id);
            return;
        }
    }
    std::vector<Symbol> symbols = symbolsOf(word);
    const auto symbol = [&symbols](int i) -> Symbol & { return symbols[static_cast<std::size_t>(i)]; };
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
    const auto consider = [&](int left) {
        if (left < 0 || symbol(left).next < 0)
            return;
        const TokenId leftId = symbol(left).id, rightId = symbol(symbol(left).next).id;
        if (const MergeTo *merge = mergeOf(leftId, rightId))
            queue.push({merge->rank, left, leftId, rightId});
    };
    for (int i = 0; i + 1 < static_cast<int>(symbols.size()); ++i)
        consider(i);

    constexpr TokenId gone = -2;
    while (!queue.empty()) {
        const Candidate best = queue.top();
        queue.pop();
        Symbol &left = symbol(best.at);
        if (left.id != best.left || left.next < 0 || symbol(left.next).id != best.right)
            continue;
        Symbol &right = symbol(left.next);
        left.id = mergeOf(best.left, best.right)->id;
        right.id = gone;
        left.next = right.next;
        if (left.next >= 0)
            symbol(left.next).previous = best.at;
        consider(left.previous);
        consider(best.at);
    }
    for (const Symbol &each : symbols) {
        if (each.id >= 0)
            ids.push_back(each.id);
    }
}

} // namespace lens
