// Models by name: where they lie and how a bare word finds them.
#pragma once

#include "base/result.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lens {

/// $SUPRALENS_MODELS (several, separated by colons), then supralens/models in the user's data folder
/// ($XDG_DATA_HOME, else ~/.local/share), then in each of $XDG_DATA_DIRS. Folders that do not exist are left out.
std::vector<std::string> standardModelFolders();

/// Everything in these folders that looks like a model: folders with weights in them, and files of a known kind.
/// Sorted by name, each name once (the first folder wins).
std::vector<std::string> listModels(std::span<const std::string> folders);

/// Whether this is a SUPRA adapter, or a folder that holds one instead of a model.
bool isAdapter(const std::string &path);

/// `name` itself when it exists as a path. Else, when it is a bare word, the model of that name in the folders:
/// without regard to case, extension optional; or the only one whose name begins with it ("smollm2").
/// ErrorCode::NotFound, or ErrorCode::InvalidArgument when several begin with it.
Result<std::string> resolveModel(std::string_view name, std::span<const std::string> folders);

} // namespace lens
