#include "text/pretokenizer.h"

#include "text/bytealphabet.h"
#include "text/utf8.h"

#include <algorithm>
#include <limits>
#include <unicode/uchar.h>

namespace lens {

namespace {

enum class Kind { Letter, Number, White, Other, End };

struct Glimpse {
    Kind kind = Kind::End;
    char32_t codePoint = 0;
    std::size_t length = 0;

    bool isLineBreak() const { return codePoint == U'\r' || codePoint == U'\n'; }
};

Kind kindOf(char32_t c)
{
    const auto code = static_cast<UChar32>(c);
    const auto mask = U_GET_GC_MASK(code);
    if (mask & U_GC_L_MASK)
        return Kind::Letter;
    if (mask & U_GC_N_MASK)
        return Kind::Number;
    return u_isUWhiteSpace(code) ? Kind::White : Kind::Other;
}

Glimpse glimpse(std::string_view text, std::size_t at)
{
    if (at >= text.size())
        return {};
    const Utf8Char character = utf8At(text, at);
    return {kindOf(character.codePoint), character.codePoint, character.length};
}

std::size_t endOfRun(std::string_view text, std::size_t at, Kind kind,
                     int longest = std::numeric_limits<int>::max())
{
    for (int i = 0; i < longest; ++i) {
        const Glimpse next = glimpse(text, at);
        if (next.kind != kind)
            break;
        at += next.length;
    }
    return at;
}

// The length of 's 't 're 've 'm 'll 'd at `at`, or 0.
std::size_t contractionLength(std::string_view text, std::size_t at, bool anyCase)
{
    if (text[at] != '\'')
        return 0;
    // The long s folds to s, so a case-insensitive 's matches it too.
    if (anyCase && text.substr(at + 1, 2) == "\u017F")
        return 3;
    const auto letter = [&](std::size_t i) {
        const char c = at + i < text.size() ? text[at + i] : '\0';
        return anyCase && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    const char first = letter(1), second = letter(2);
    if (first == 's' || first == 't' || first == 'm' || first == 'd')
        return 2;
    if (((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l'))
        return 3;
    return 0;
}

// \s+(?!\S)|\s+ : white space up to, but not including, the character that touches the next word.
std::size_t endOfWhite(std::string_view text, std::size_t at)
{
    std::size_t last = at, end = at;
    for (Glimpse next = glimpse(text, at); next.kind == Kind::White; next = glimpse(text, end)) {
        last = end;
        end += next.length;
    }
    return end == text.size() || last == at ? end : last;
}

std::size_t gpt2WordEnd(std::string_view text, std::size_t at)
{
    if (const std::size_t length = contractionLength(text, at, false))
        return at + length;
    const std::size_t start = at + (text[at] == ' ' ? 1 : 0);
    const Kind kind = glimpse(text, start).kind;
    if (kind != Kind::White && kind != Kind::End)
        return endOfRun(text, start, kind);
    return endOfWhite(text, at);
}

// \s*[\r\n]+ : up to and with the last line break of the white space at `at`; 0 when there is none.
std::size_t endOfLineBreaks(std::string_view text, std::size_t at)
{
    std::size_t end = 0;
    for (Glimpse next = glimpse(text, at); next.kind == Kind::White; next = glimpse(text, at)) {
        at += next.length;
        if (next.isLineBreak())
            end = at;
    }
    return end;
}

std::size_t llama3WordEnd(std::string_view text, std::size_t at, int maxDigits)
{
    if (const std::size_t length = contractionLength(text, at, true))
        return at + length;
    const Glimpse first = glimpse(text, at);
    if (first.kind == Kind::Letter)
        return endOfRun(text, at, Kind::Letter);
    if (first.kind == Kind::Number)
        return endOfRun(text, at, Kind::Number, maxDigits);
    if (!first.isLineBreak() && glimpse(text, at + first.length).kind == Kind::Letter)
        return endOfRun(text, at + first.length, Kind::Letter);
    const std::size_t start = at + (text[at] == ' ' ? 1 : 0);
    if (glimpse(text, start).kind == Kind::Other) {
        std::size_t end = endOfRun(text, start, Kind::Other);
        while (end < text.size() && (text[end] == '\r' || text[end] == '\n'))
            ++end;
        return end;
    }
    const std::size_t end = endOfLineBreaks(text, at);
    return end != 0 ? end : endOfWhite(text, at);
}

class Gpt2Split : public SplitStep {
public:
    Result<void> apply(std::string_view piece, bool, std::vector<std::string> &parts) const override
    {
        for (std::size_t at = 0; at < piece.size();) {
            const std::size_t end = gpt2WordEnd(piece, at);
            parts.emplace_back(piece.substr(at, end - at));
            at = end;
        }
        return {};
    }
};

class Llama3Split : public SplitStep {
public:
    explicit Llama3Split(int maxDigits) : m_maxDigits(maxDigits) {}

    Result<void> apply(std::string_view piece, bool, std::vector<std::string> &parts) const override
    {
        for (std::size_t at = 0; at < piece.size();) {
            const std::size_t end = llama3WordEnd(piece, at, m_maxDigits);
            parts.emplace_back(piece.substr(at, end - at));
            at = end;
        }
        return {};
    }

private:
    int m_maxDigits;
};

class RunSplit : public SplitStep {
public:
    RunSplit(CharacterSet set, std::size_t longest, bool onlyFull)
        : m_set(set), m_longest(longest), m_onlyFull(onlyFull)
    {
    }

    Result<void> apply(std::string_view piece, bool, std::vector<std::string> &parts) const override
    {
        std::size_t done = 0;
        const auto take = [&](std::size_t end) {
            if (end > done)
                parts.emplace_back(piece.substr(done, end - done));
            done = std::max(done, end);
        };
        for (std::size_t at = 0; at < piece.size();) {
            std::size_t end = at, count = 0;
            while (count < m_longest && end < piece.size()) {
                const Utf8Char character = utf8At(piece, end);
                if (!contains(character.codePoint))
                    break;
                end += character.length;
                ++count;
            }
            if (count == 0) {
                at += utf8At(piece, at).length;
            } else {
                if (!m_onlyFull || count == m_longest) {
                    take(at);
                    take(end);
                }
                at = end;
            }
        }
        take(piece.size());
        return {};
    }

private:
    bool contains(char32_t c) const
    {
        if (m_set == CharacterSet::AsciiDigits)
            return c >= U'0' && c <= U'9';
        const auto mask = U_GET_GC_MASK(static_cast<UChar32>(c));
        if (m_set == CharacterSet::Numbers)
            return (mask & U_GC_N_MASK) != 0;
        return (mask & U_GC_P_MASK) != 0 || std::u32string_view(U"$+<=>^~|").find(c) != std::u32string_view::npos;
    }

    CharacterSet m_set;
    std::size_t m_longest;
    bool m_onlyFull;
};

class ByteLevel : public SplitStep {
public:
    ByteLevel(bool prefixSpace, bool split) : m_prefixSpace(prefixSpace), m_split(split) {}

    Result<void> apply(std::string_view piece, bool isStart, std::vector<std::string> &parts) const override
    {
        std::string prefixed;
        if (m_prefixSpace && piece.front() != ' ') {
            prefixed = ' ' + std::string(piece);
            piece = prefixed;
        }
        const std::size_t first = parts.size();
        if (m_split) {
            if (auto done = Gpt2Split().apply(piece, isStart, parts); !done)
                return done;
        } else {
            parts.emplace_back(piece);
        }
        for (std::size_t i = first; i < parts.size(); ++i)
            parts[i] = toByteAlphabet(parts[i]);
        return {};
    }

private:
    bool m_prefixSpace, m_split;
};

class Metaspace : public SplitStep {
public:
    Metaspace(std::string symbol, Prepend prepend, bool split)
        : m_symbol(std::move(symbol)), m_prepend(prepend), m_split(split)
    {
    }

    Result<void> apply(std::string_view piece, bool isStart, std::vector<std::string> &parts) const override
    {
        std::string text;
        for (const char c : piece) {
            if (c == ' ')
                text += m_symbol;
            else
                text += c;
        }
        const bool wanted = m_prepend == Prepend::Always || (m_prepend == Prepend::First && isStart);
        if (wanted && !text.starts_with(m_symbol))
            text.insert(0, m_symbol);
        std::size_t at = 0;
        for (std::size_t next = 0; m_split && (next = text.find(m_symbol, at + 1)) != std::string::npos; at = next)
            parts.push_back(text.substr(at, next - at));
        parts.push_back(text.substr(at));
        return {};
    }

private:
    std::string m_symbol;
    Prepend m_prepend;
    bool m_split;
};

} // namespace

Result<std::vector<std::string>> PreTokenizer::words(std::string_view text, bool isStart) const
{
    std::vector<std::string> pieces;
    if (!text.empty())
        pieces.emplace_back(text);
    for (const SplitStepPtr &step : m_steps) {
        std::vector<std::string> parts;
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            if (auto done = step->apply(pieces[i], isStart && i == 0, parts); !done)
                return propagate(done);
        }
        pieces = std::move(parts);
    }
    return pieces;
}

SplitStepPtr makeGpt2Split()
{
    return std::make_unique<Gpt2Split>();
}

SplitStepPtr makeLlama3Split(int maxDigits)
{
    return std::make_unique<Llama3Split>(maxDigits);
}

SplitStepPtr makeRunSplit(CharacterSet set, std::size_t longest, bool onlyFull)
{
    return std::make_unique<RunSplit>(set, longest, onlyFull);
}

SplitStepPtr makeByteLevel(bool prefixSpace, bool split)
{
    return std::make_unique<ByteLevel>(prefixSpace, split);
}

SplitStepPtr makeMetaspace(std::string symbol, Prepend prepend, bool split)
{
    return std::make_unique<Metaspace>(std::move(symbol), prepend, split);
}

} // namespace lens
