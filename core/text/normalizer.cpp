#include "text/normalizer.h"

#include "text/utf8.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/ucasemap.h>

namespace lens {

namespace {

class UnicodeNormalizer : public NormalizeStep {
public:
    explicit UnicodeNormalizer(UnicodeForm form) : m_form(form) {}

    std::string apply(std::string text) const override
    {
        UErrorCode status = U_ZERO_ERROR;
        const icu::Normalizer2 *normalizer = instance(status);
        if (U_FAILURE(status) || !normalizer)
            return text;
        std::string result;
        icu::StringByteSink<std::string> sink(&result);
        normalizer->normalizeUTF8(0, icu::StringPiece(text), sink, nullptr, status);
        return U_SUCCESS(status) ? result : text;
    }

private:
    const icu::Normalizer2 *instance(UErrorCode &status) const
    {
        switch (m_form) {
        case UnicodeForm::Nfc: return icu::Normalizer2::getNFCInstance(status);
        case UnicodeForm::Nfd: return icu::Normalizer2::getNFDInstance(status);
        case UnicodeForm::Nfkc: return icu::Normalizer2::getNFKCInstance(status);
        case UnicodeForm::Nfkd: return icu::Normalizer2::getNFKDInstance(status);
        }
        return nullptr;
    }

    UnicodeForm m_form;
};

// Character by character, without the context rules of full case mapping, as the reference does it.
class Lowercase : public NormalizeStep {
public:
    std::string apply(std::string text) const override
    {
        std::string result;
        for (std::size_t at = 0; at < text.size();) {
            const Utf8Char character = utf8At(text, at);
            if (character.codePoint == U'\u0130')
                result += "i\u0307";
            else
                appendUtf8(result, static_cast<char32_t>(u_tolower(static_cast<UChar32>(character.codePoint))));
            at += character.length;
        }
        return result;
    }
};

class PrependStep : public NormalizeStep {
public:
    explicit PrependStep(std::string prefix) : m_prefix(std::move(prefix)) {}
    std::string apply(std::string text) const override { return text.empty() ? text : m_prefix + text; }

private:
    std::string m_prefix;
};

class Replace : public NormalizeStep {
public:
    Replace(std::string from, std::string to) : m_from(std::move(from)), m_to(std::move(to)) {}

    std::string apply(std::string text) const override
    {
        std::string result;
        std::size_t done = 0;
        for (std::size_t at = 0; (at = text.find(m_from, done)) != std::string::npos; done = at + m_from.size())
            result.append(text, done, at - done) += m_to;
        return result.append(text, done);
    }

private:
    std::string m_from, m_to;
};

class Strip : public NormalizeStep {
public:
    Strip(bool left, bool right) : m_left(left), m_right(right) {}

    std::string apply(std::string text) const override
    {
        std::size_t begin = std::string::npos, end = 0;
        for (std::size_t at = 0; at < text.size();) {
            const Utf8Char character = utf8At(text, at);
            if (!u_isUWhiteSpace(static_cast<UChar32>(character.codePoint))) {
                begin = std::min(begin, at);
                end = at + character.length;
            }
            at += character.length;
        }
        if (begin == std::string::npos)
            return m_left || m_right ? std::string() : text;
        if (m_right)
            text.erase(end);
        return m_left ? text.substr(begin) : text;
    }

private:
    bool m_left, m_right;
};

} // namespace

NormalizeStepPtr makeUnicodeNormalizer(UnicodeForm form)
{
    return std::make_unique<UnicodeNormalizer>(form);
}

NormalizeStepPtr makeLowercase()
{
    return std::make_unique<Lowercase>();
}

NormalizeStepPtr makePrepend(std::string prefix)
{
    return std::make_unique<PrependStep>(std::move(prefix));
}

NormalizeStepPtr makeReplace(std::string from, std::string to)
{
    return std::make_unique<Replace>(std::move(from), std::move(to));
}

NormalizeStepPtr makeStrip(bool left, bool right)
{
    return std::make_unique<Strip>(left, right);
}

std::string Normalizer::apply(std::string text) const
{
    for (const NormalizeStepPtr &step : m_steps)
        text = step->apply(std::move(text));
    return text;
}

} // namespace lens
