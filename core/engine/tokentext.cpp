#include "engine/tokentext.h"

namespace lens {

std::string tokenText(const Tokenizer *tokenizer, TokenId id)
{
    if (!tokenizer)
        return {};
    if (id < 0 || static_cast<std::size_t>(id) >= tokenizer->size())
        return "\uFFFD";
    return repairedUtf8(tokenizer->bytes(id, false), tokenizer->decodeStyle().brokenBytes);
}

} // namespace lens
