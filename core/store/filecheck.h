// What lies at the path of a workspace, seen before SQLite touches it: SQLite would take an empty file for an empty
// database and replay a journal that belongs to another file.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>

namespace lens {

/// "SLWS", SUPRA Lens workspace: in the header of every file.
inline constexpr std::int32_t workspaceApplicationId = 0x534C5753;

/// True when there is a workspace to open, false when there is nothing; otherwise why it cannot be opened.
Result<bool> examineFile(const std::string &path);

} // namespace lens
