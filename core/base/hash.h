// Content hashes. XXH3-128 identifies weights and cached pieces; it is not meant against forgery.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace lens {

/// Feeds bytes piece by piece; the digest is 32 lower-case hexadecimal digits.
class Hasher {
public:
    Hasher();
    ~Hasher();
    Hasher(Hasher &&) noexcept;
    Hasher &operator=(Hasher &&) noexcept;

    void add(std::span<const std::byte> bytes);
    void add(std::string_view text);
    std::string digest() const;

private:
    struct State;
    std::unique_ptr<State> m_state;
};

} // namespace lens
