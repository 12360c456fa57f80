// The code points that byte-level vocabularies (GPT-2 and its heirs) use to spell bytes: printable Latin-1 characters
// stand for themselves, the other 68 bytes for U+0100 upwards, in order.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lens {

/// The UTF-8 spelling of each byte of `bytes` in that alphabet.
std::string toByteAlphabet(std::string_view bytes);

/// The bytes that `piece` spells; nullopt when it contains a character outside the alphabet.
std::optional<std::string> fromByteAlphabet(std::string_view piece);

} // namespace lens
