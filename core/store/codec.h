// The blobs of a workspace: tokens, numbers and comparisons, each one zstd frame with a checksum (docs/formats.md).
// Decoders take damaged bytes: Malformed, and no allocation beyond a few times what the frame unpacks to, which is at
// most 256 MiB.
#pragma once

#include "base/result.h"
#include "store/records.h"

#include <cstddef>
#include <span>
#include <vector>

namespace lens {

using Bytes = std::vector<std::byte>;

Result<Bytes> encodeTokens(std::span<const StoredToken> tokens);
Result<std::vector<StoredToken>> decodeTokens(std::span<const std::byte> blob);

Result<Bytes> encodeIds(std::span<const std::int32_t> ids);
Result<std::vector<std::int32_t>> decodeIds(std::span<const std::byte> blob);

Result<Bytes> encodeFloats(std::span<const float> values);
Result<std::vector<float>> decodeFloats(std::span<const std::byte> blob);

/// Ids and values; rows and time are columns of the table.
Result<Bytes> encodeComparison(const StoredComparison &comparison);
Result<StoredComparison> decodeComparison(std::span<const std::byte> blob);

} // namespace lens
