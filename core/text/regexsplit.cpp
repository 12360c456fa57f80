// Split patterns of tokenizer.json that no hand-written matcher covers, by ICU.
#include "text/pretokenizer.h"

#include <array>
#include <optional>
#include <unicode/uregex.h>
#include <unicode/ustring.h>
#include <unicode/utext.h>

namespace lens {

namespace {

struct Part {
    std::size_t begin, end;
    bool isMatch;
};

struct CloseRegex {
    void operator()(URegularExpression *regex) const { uregex_close(regex); }
};
using RegexPtr = std::unique_ptr<URegularExpression, CloseRegex>;

struct CloseText {
    void operator()(UText *text) const { utext_close(text); }
};

// The patterns are written for Oniguruma, whose \s is Unicode's White_Space; ICU's lacks U+000B and U+0085.
std::string withUnicodeWhiteSpace(const std::string &pattern)
{
    std::string result;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '\\' || i + 1 == pattern.size()) {
            result += pattern[i];
            continue;
        }
        ++i;
        if (pattern[i] == 's')
            result += "\\p{White_Space}";
        else if (pattern[i] == 'S')
            result += "\\P{White_Space}";
        else
            result.append(pattern, i - 1, 2);
    }
    return result;
}

RegexPtr compile(const std::string &pattern)
{
    UErrorCode status = U_ZERO_ERROR;
    const std::unique_ptr<UText, CloseText> text(
        utext_openUTF8(nullptr, pattern.data(), static_cast<int64_t>(pattern.size()), &status));
    RegexPtr regex(U_SUCCESS(status) ? uregex_openUText(text.get(), 0, nullptr, &status) : nullptr);
    if (!regex || U_FAILURE(status))
        return nullptr;
    // Units of about a millisecond for the whole search, and bytes of backtracking stack: a hostile pattern must fail.
    uregex_setTimeLimit(regex.get(), 5000, &status);
    uregex_setStackLimit(regex.get(), 64 << 20, &status);
    return regex;
}

void append(std::vector<Part> &parts, std::size_t begin, std::size_t end, bool isMatch)
{
    if (begin < end)
        parts.push_back({begin, end, isMatch});
}

std::vector<Part> merged(const std::vector<Part> &parts, SplitBehaviour behaviour)
{
    std::vector<Part> result;
    bool joinNext = false;
    for (const Part &part : parts) {
        bool join = false;
        switch (behaviour) {
        case SplitBehaviour::Isolated: break;
        case SplitBehaviour::Removed:
            if (part.isMatch)
                continue;
            break;
        case SplitBehaviour::MergedWithPrevious:
            join = part.isMatch && !result.empty() && !result.back().isMatch;
            break;
        case SplitBehaviour::MergedWithNext: join = joinNext && !part.isMatch; break;
        case SplitBehaviour::Contiguous: join = !result.empty() && result.back().isMatch == part.isMatch; break;
        }
        joinNext = part.isMatch;
        if (join) {
            result.back().end = part.end;
            result.back().isMatch = part.isMatch;
        } else {
            result.push_back(part);
        }
    }
    return result;
}

class PatternSplit : public SplitStep {
public:
    PatternSplit(SplitBehaviour behaviour, bool invert) : m_behaviour(behaviour), m_invert(invert) {}

    Result<void> apply(std::string_view piece, bool, std::vector<std::string> &out) const override
    {
        auto parts = find(piece);
        if (!parts)
            return propagate(parts);
        if (m_invert) {
            for (Part &part : *parts)
                part.isMatch = !part.isMatch;
        }
        for (const Part &part : merged(*parts, m_behaviour))
            out.emplace_back(piece.substr(part.begin, part.end - part.begin));
        return {};
    }

protected:
    virtual Result<std::vector<Part>> find(std::string_view piece) const = 0;

private:
    SplitBehaviour m_behaviour;
    bool m_invert;
};

class RegexSplit : public PatternSplit {
public:
    RegexSplit(RegexPtr regex, SplitBehaviour behaviour, bool invert)
        : PatternSplit(behaviour, invert), m_regex(std::move(regex))
    {
    }

protected:
    Result<std::vector<Part>> find(std::string_view piece) const override
    {
        UErrorCode status = U_ZERO_ERROR;
        const RegexPtr regex(uregex_clone(m_regex.get(), &status));
        const std::unique_ptr<UText, CloseText> text(
            utext_openUTF8(nullptr, piece.data(), static_cast<int64_t>(piece.size()), &status));
        if (U_SUCCESS(status))
            uregex_setUText(regex.get(), text.get(), &status);
        std::vector<Part> parts;
        std::size_t done = 0;
        while (U_SUCCESS(status) && uregex_findNext(regex.get(), &status)) {
            const auto begin = static_cast<std::size_t>(uregex_start64(regex.get(), 0, &status));
            const auto end = static_cast<std::size_t>(uregex_end64(regex.get(), 0, &status));
            if (U_FAILURE(status) || begin == end)
                continue;
            append(parts, done, begin, false);
            append(parts, begin, end, true);
            done = end;
        }
        if (U_FAILURE(status))
            return fail(ErrorCode::LimitExceeded,
                        std::string("the tokenizer's splitting pattern gave up (") + u_errorName(status) + ")", {},
                        "shorten the text or use another tokenizer file");
        append(parts, done, piece.size(), false);
        return parts;
    }

private:
    RegexPtr m_regex;
};

class LiteralSplit : public PatternSplit {
public:
    LiteralSplit(std::string literal, SplitBehaviour behaviour, bool invert)
        : PatternSplit(behaviour, invert), m_literal(std::move(literal))
    {
    }

protected:
    Result<std::vector<Part>> find(std::string_view piece) const override
    {
        std::vector<Part> parts;
        std::size_t done = 0;
        for (std::size_t at = 0; (at = piece.find(m_literal, done)) != std::string_view::npos;) {
            append(parts, done, at, false);
            done = at + m_literal.size();
            append(parts, at, done, true);
        }
        append(parts, done, piece.size(), false);
        return parts;
    }

private:
    std::string m_literal;
};

// Hand-written equivalents of the patterns that common models use.
SplitStepPtr knownSplit(const std::string &pattern)
{
    if (pattern == R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)")
        return makeGpt2Split();
    constexpr std::array<std::string_view, 2> contractions{
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"};
    for (const std::string_view contraction : contractions) {
        const auto with = [&](std::string_view digits) {
            return std::string(contraction) + R"(|[^\r\n\p{L}\p{N}]?\p{L}+|)" + std::string(digits)
                   + R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
        };
        if (pattern == with(R"(\p{N}{1,3})"))
            return makeLlama3Split(3);
        if (pattern == with(R"(\p{N})"))
            return makeLlama3Split(1);
    }
    return nullptr;
}

} // namespace

Result<SplitStepPtr> makeSplit(const std::string &pattern, bool isRegex, SplitBehaviour behaviour, bool invert,
                               const std::string &where)
{
    if (pattern.empty())
        return fail(ErrorCode::Malformed, "a Split pre-tokenizer has an empty pattern", where);
    if (!isRegex)
        return SplitStepPtr(std::make_unique<LiteralSplit>(pattern, behaviour, invert));
    // The known patterns match everything, so that keeping the matches and isolating them come to the same.
    const bool keepsMatches = invert ? behaviour == SplitBehaviour::Removed : behaviour == SplitBehaviour::Isolated;
    if (keepsMatches) {
        if (SplitStepPtr known = knownSplit(pattern))
            return known;
    }
    RegexPtr regex = compile(withUnicodeWhiteSpace(pattern));
    if (!regex)
        return fail(ErrorCode::Unsupported, "the Split pattern \"" + pattern.substr(0, 200) + "\" is not understood",
                    where, "use a model whose tokenizer has one of the usual patterns");
    return SplitStepPtr(std::make_unique<RegexSplit>(std::move(regex), behaviour, invert));
}

} // namespace lens
