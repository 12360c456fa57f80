// One token as a person sees it.
#pragma once

#include "text/tokenizer.h"

#include <string>

namespace lens {

/// The bytes of the token alone; those that are only part of a character become U+FFFD, control tokens are spelled
/// out. "" without a tokenizer.
std::string tokenText(const Tokenizer *tokenizer, TokenId id);

} // namespace lens
