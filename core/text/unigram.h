// The most probable segmentation under a unigram model (Kudo 2018, arXiv:1804.10959), by the Viterbi algorithm.
//
// sentencepiece does the same, but up to 0.1.97 it adds the scores in single precision, so that segmentations that
// are equally probable ("1,000": "0" "00" or "00" "0") are told apart by rounding. Here, as in later versions, the
// sums are exact enough for ties to stay ties, which the segmentation with the shortest first pieces wins.
#pragma once

#include "text/sentencepiecemodel.h"

#include <array>

namespace lens {

class Unigram {
public:
    explicit Unigram(const SentencePieceModel &model);

    /// Appends the ids of normalised text: a run of characters without a piece is one unknown token, or its bytes.
    void encode(std::string_view normalised, std::vector<TokenId> &ids) const;

private:
    struct Entry {
        std::string text;
        TokenId id;
        float score;
    };
    struct Best {
        double score = 0;
        std::size_t from = 0;
        TokenId id = 0;
        bool isReached = false;
    };

    std::vector<Best> bestPaths(std::string_view text) const;
    void appendUnknown(std::string_view text, std::vector<TokenId> &ids) const;

    std::vector<Entry> m_entries;  // sorted by text
    std::array<TokenId, 256> m_byteIds{};
    bool m_byteFallback;
    TokenId m_unknown = 0;
    float m_unknownScore = 0;
};

} // namespace lens
