// sentencepiece's normalisation: the model's character map, white space, the dummy prefix. Done here rather than by
// the library, so that the map of an untrusted file never reaches it.
#pragma once

#include "text/sentencepiecemodel.h"

#include <cstdint>

namespace lens {

class SpmNormalizer {
public:
    /// The character map of `model` must have passed checkCharacterMap(), as readSentencePieceModel() sees to.
    explicit SpmNormalizer(const SentencePieceModel &model);

    /// Valid UTF-8; broken bytes of `text` become U+FFFD.
    std::string apply(std::string_view text) const;

private:
    struct Step {
        std::string_view output;
        std::size_t consumed;
    };

    Step next(std::string_view text) const;
    std::size_t userDefinedAt(std::string_view text) const;

    std::vector<std::uint32_t> m_trie;
    std::string m_replacements;
    std::vector<std::string> m_userDefined;  // sorted
    bool m_dummyPrefix, m_removeExtraSpaces, m_suffixSpace;
    std::string m_space;
};

} // namespace lens
