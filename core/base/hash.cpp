#include "base/hash.h"

#include <array>
#include <cstdio>
#include <xxhash.h>

namespace lens {

struct Hasher::State {
    XXH3_state_t *xxh = XXH3_createState();
    ~State() { XXH3_freeState(xxh); }
};

Hasher::Hasher() : m_state(std::make_unique<State>())
{
    XXH3_128bits_reset(m_state->xxh);
}

Hasher::~Hasher() = default;
Hasher::Hasher(Hasher &&) noexcept = default;
Hasher &Hasher::operator=(Hasher &&) noexcept = default;

void Hasher::add(std::span<const std::byte> bytes)
{
    XXH3_128bits_update(m_state->xxh, bytes.data(), bytes.size());
}

void Hasher::add(std::string_view text)
{
    add(std::as_bytes(std::span(text)));
}

std::string Hasher::digest() const
{
    const XXH128_hash_t hash = XXH3_128bits_digest(m_state->xxh);
    std::array<char, 33> text{};
    std::snprintf(text.data(), text.size(), "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                  static_cast<unsigned long long>(hash.low64));
    return text.data();
}

} // namespace lens
