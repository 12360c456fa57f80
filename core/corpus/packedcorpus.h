// A token cache as sequences of equal length for training and for evaluation.
#pragma once

#include "corpus/tokencache.h"

namespace lens {

/// A pure function of (seed, index): a resumed run needs to remember nothing but how many sequences it has taken.
/// Immutable and safe to use from several threads.
///
/// The last heldOutShare of the documents is held out; where that is less than one document, the last heldOutShare of the
/// tokens. What comes before is cut into stretches of `sequenceLength`; a sequence is such a stretch and the token after
/// it, so that an epoch predicts each token exactly once. Less than `sequenceLength` tokens at either end are not used.
class PackedCorpus {
public:
    /// InvalidArgument when a part has less than one sequence, or for a share outside of [0, 1) or a length below 1.
    static Result<PackedCorpus> create(TokenCachePtr tokens, double heldOutShare, std::int64_t sequenceLength,
                                       std::uint64_t seed);

    std::int64_t sequenceLength() const { return m_length; }
    std::int64_t trainingSequences() const { return m_training; }  ///< of an epoch
    std::int64_t heldOutSequences() const { return m_heldOut; }
    std::int64_t heldOutStart() const { return m_border; }         ///< the first token that is held out

    /// `index` >= 0 counts over epochs without end; each epoch has an order of its own. `out`: sequenceLength + 1 tokens.
    void trainingSequence(std::int64_t index, std::span<TokenId> out) const;

    /// In the order of the text. `index` < heldOutSequences(); `out`: sequenceLength + 1 tokens.
    void heldOutSequence(std::int64_t index, std::span<TokenId> out) const;

private:
    PackedCorpus(TokenCachePtr tokens, std::int64_t border, std::int64_t length, std::uint64_t seed);

    TokenCachePtr m_tokens;
    std::int64_t m_border;
    std::int64_t m_length;
    std::uint64_t m_seed;
    std::int64_t m_training;
    std::int64_t m_heldOut;
};

/// Where `index` (below `size`) stands in a seeded order of 0 .. size - 1, found without holding the order: a Feistel
/// network over the next power of four, walked until it lands inside (Black and Rogaway, "Ciphers with Arbitrary Finite
/// Domains", 2002).
std::uint64_t permuted(std::uint64_t index, std::uint64_t size, std::uint64_t seed);

} // namespace lens
