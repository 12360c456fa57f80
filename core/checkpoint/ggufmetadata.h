// The key-value part of a GGUF file. Scalars become JSON; arrays stay where they are in the mapped file until somebody
// wants them, since a vocabulary of 50,000 pieces is not worth a tree.
#pragma once

#include "checkpoint/bytereader.h"

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

namespace lens {

enum class GgufType : std::uint32_t { U8, I8, U16, I16, U32, I32, F32, Bool, String, Array, U64, I64, F64 };

struct GgufArray {
    GgufType type = GgufType::U8; ///< of the elements; never Array
    std::uint64_t count = 0;
    ByteReader elements; ///< verified to hold `count` elements
};

class GgufMetadata {
public:
    /// Reads `count` pairs. Errors: Truncated, Malformed (unknown type, key twice, text that is not UTF-8),
    /// Unsupported (arrays of arrays).
    static Result<GgufMetadata> read(ByteReader &reader, std::uint64_t count);

    const nlohmann::json &scalars() const { return m_scalars; }

    /// nullptr when there is none.
    const GgufArray *array(const std::string &key) const;

    /// The value of a key; empty when it is absent or of another type.
    std::string text(const std::string &key) const;
    std::optional<bool> flag(const std::string &key) const;
    std::optional<std::int64_t> integer(const std::string &key) const;

private:
    Result<void> readPair(ByteReader &reader);
    Result<void> readArray(ByteReader &reader, const std::string &key);

    nlohmann::json m_scalars = nlohmann::json::object();
    std::map<std::string, GgufArray> m_arrays;
};

/// u64 length and that many bytes.
std::string_view readGgufString(ByteReader &reader);

} // namespace lens
