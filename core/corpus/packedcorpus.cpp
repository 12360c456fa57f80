#include "corpus/packedcorpus.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>

namespace lens {

namespace {

constexpr int kRounds = 6;

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
std::uint64_t mixed(std::uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

std::int64_t borderOf(const TokenCache &tokens, double heldOutShare)
{
    if (heldOutShare <= 0)
        return tokens.tokens();
    const double documents = static_cast<double>(tokens.documents()) * heldOutShare;
    if (documents >= 1)
        return tokens.documentStart(tokens.documents() - std::llround(documents));
    return std::llround(static_cast<double>(tokens.tokens()) * (1 - heldOutShare));
}

std::int64_t sequencesIn(std::int64_t tokens, std::int64_t length)
{
    return tokens < 1 ? 0 : (tokens - 1) / length;
}

tl::unexpected<Error> tooShort(const std::string &part, std::int64_t tokens, std::int64_t length)
{
    return fail(ErrorCode::InvalidArgument,
                part + " has " + std::to_string(tokens) + " tokens, less than one sequence of " + std::to_string(length) +
                    " and the token after it",
                "training text", "use more text, shorter sequences or another held-out share");
}

} // namespace

std::uint64_t permuted(std::uint64_t index, std::uint64_t size, std::uint64_t seed)
{
    assert(index < size);
    const int half = std::max(1, (static_cast<int>(std::bit_width(size - 1)) + 1) / 2);
    const std::uint64_t mask = (std::uint64_t(1) << half) - 1;
    do {
        std::uint64_t left = index >> half, right = index & mask;
        for (int round = 0; round < kRounds; ++round) {
            const std::uint64_t next = left ^ (mixed(mixed(seed + static_cast<std::uint64_t>(round)) ^ right) & mask);
            left = right;
            right = next;
        }
        index = left << half | right;
    } while (index >= size);
    return index;
}

PackedCorpus::PackedCorpus(TokenCachePtr tokens, std::int64_t border, std::int64_t length, std::uint64_t seed)
    : m_tokens(std::move(tokens)), m_border(border), m_length(length), m_seed(seed),
      m_training(sequencesIn(border, length)), m_heldOut(sequencesIn(m_tokens->tokens() - border, length))
{
}

Result<PackedCorpus> PackedCorpus::create(TokenCachePtr tokens, double heldOutShare, std::int64_t sequenceLength,
                                          std::uint64_t seed)
{
    if (!tokens)
        return fail(ErrorCode::InvalidArgument, "there is no text to train on");
    if (!(heldOutShare >= 0 && heldOutShare < 1))
        return fail(ErrorCode::InvalidArgument, "the held-out share is not in [0, 1)", {}, "0.02 is usual");
    if (sequenceLength < 1)
        return fail(ErrorCode::InvalidArgument, "the sequence length is below 1");
    const std::int64_t border = borderOf(*tokens, heldOutShare);
    const PackedCorpus corpus(tokens, border, sequenceLength, seed);
    if (corpus.m_training < 1)
        return tooShort("the text to train on", border, sequenceLength);
    if (heldOutShare > 0 && corpus.m_heldOut < 1)
        return tooShort("the held-out text", tokens->tokens() - border, sequenceLength);
    return corpus;
}

void PackedCorpus::trainingSequence(std::int64_t index, std::span<TokenId> out) const
{
    assert(index >= 0 && static_cast<std::int64_t>(out.size()) == m_length + 1);
    const auto epoch = static_cast<std::uint64_t>(index / m_training);
    const std::uint64_t place = permuted(static_cast<std::uint64_t>(index % m_training),
                                         static_cast<std::uint64_t>(m_training), mixed(m_seed) ^ mixed(~epoch));
    m_tokens->copy(static_cast<std::int64_t>(place) * m_length, out);
}

void PackedCorpus::heldOutSequence(std::int64_t index, std::span<TokenId> out) const
{
    assert(index >= 0 && index < m_heldOut && static_cast<std::int64_t>(out.size()) == m_length + 1);
    m_tokens->copy(m_border + index * m_length, out);
}

} // namespace lens
