// Cutting a text into the words within which byte pair encoding may merge.
#pragma once

#include "base/result.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lens {

/// One step of a pipeline. Immutable; safe from several threads.
class SplitStep {
public:
    virtual ~SplitStep() = default;

    /// Appends the parts of `piece` (valid UTF-8, not empty) to `parts`. `isStart`: the piece begins the whole text.
    virtual Result<void> apply(std::string_view piece, bool isStart, std::vector<std::string> &parts) const = 0;
};

using SplitStepPtr = std::unique_ptr<const SplitStep>;

class PreTokenizer {
public:
    void add(SplitStepPtr step) { m_steps.push_back(std::move(step)); }

    /// The words of `text` in order. `isStart` is false for text after an added token.
    Result<std::vector<std::string>> words(std::string_view text, bool isStart) const;

private:
    std::vector<SplitStepPtr> m_steps;
};

/// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
SplitStepPtr makeGpt2Split();

/// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,maxDigits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|
/// \s+(?!\S)|\s+
SplitStepPtr makeLlama3Split(int maxDigits);

enum class CharacterSet {
    Numbers,      ///< \p{N}
    Punctuation,  ///< [\p{P}$+<=>^~|]
    AsciiDigits,
};

/// Runs of at most `longest` characters of the set become pieces of their own; with `onlyFull`, shorter runs do not.
SplitStepPtr makeRunSplit(CharacterSet set, std::size_t longest, bool onlyFull = false);

/// Spells every byte in the byte alphabet; `prefixSpace` first puts a space before pieces that lack one. With `split`,
/// cuts as makeGpt2Split() in between.
SplitStepPtr makeByteLevel(bool prefixSpace, bool split);

enum class Prepend { Never, First, Always };

/// Spaces become `symbol`; with `split`, each begins a new word.
SplitStepPtr makeMetaspace(std::string symbol, Prepend prepend, bool split);

enum class SplitBehaviour { Isolated, Removed, MergedWithPrevious, MergedWithNext, Contiguous };

/// Hugging Face's Split. Known patterns get one of the hand-written matchers above, others ICU's, with a limit on time
/// and stack. ErrorCode::Unsupported when ICU does not understand the pattern.
Result<SplitStepPtr> makeSplit(const std::string &pattern, bool isRegex, SplitBehaviour behaviour, bool invert,
                               const std::string &where);

} // namespace lens
