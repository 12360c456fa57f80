// Tokens chosen by the host from logits in its own memory.
#pragma once

#include "engine/decoding.h"

namespace lens {

class HostDecoding final : public Decoding {
public:
    explicit HostDecoding(DecodingParts parts) : m_parts(std::move(parts)) {}

    Result<ChosenToken> next(bool isLast) override;
    Result<Fed> keep() override;

private:
    DecodingParts m_parts;
    TokenId m_id = 0;  // chosen last
};

} // namespace lens
