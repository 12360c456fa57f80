// The safetensors format: u64 length N, N bytes of JSON {name: {dtype, shape, data_offsets}}, then the data.
#pragma once

#include "checkpoint/storedtensor.h"

#include <map>
#include <string>

namespace lens {

/// What stands under __metadata__; ErrorCode::Malformed, Truncated or LimitExceeded for a file that is no safetensors.
Result<std::map<std::string, std::string>> readSafetensorsMetadata(const MappedFile &file);

/// Header and ranges of one file, checked strictly: every byte of the data belongs to exactly one tensor, every range
/// has the size its type and shape say, and no key occurs twice. In the order of the header.
Result<std::vector<StoredTensor>> readSafetensors(const MappedFilePtr &file);

} // namespace lens
