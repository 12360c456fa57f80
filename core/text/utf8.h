// UTF-8, one character at a time, for bytes that may be broken.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lens {

struct Utf8Char {
    enum class Status { Valid, Broken, Unfinished };

    char32_t codePoint = U'\uFFFD';
    std::size_t length = 1;  ///< bytes of the character, or of the longest broken part that could have started one
    Status status = Status::Broken;
};

/// The character at `at` (which must lie inside `text`). Unfinished: the text ends inside what may become one.
Utf8Char utf8At(std::string_view text, std::size_t at);

void appendUtf8(std::string &text, char32_t codePoint);
bool isValidUtf8(std::string_view text);

/// How many U+FFFD stand for broken bytes: one for each byte (sentencepiece), or one for each longest part that
/// could have started a character (the Unicode recommendation, used by Hugging Face tokenizers).
enum class BrokenBytes { EachByte, EachPart };

std::string repairedUtf8(std::string_view text, BrokenBytes rule);

/// repairedUtf8() for a stream: never passes on half a character.
class Utf8Stream {
public:
    explicit Utf8Stream(BrokenBytes rule) : m_rule(rule) {}

    std::string push(std::string_view bytes);
    std::string finish();

private:
    BrokenBytes m_rule;
    std::string m_pending;
};

} // namespace lens
