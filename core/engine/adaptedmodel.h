// Adapters and the base models that they change.
#pragma once

#include "base/result.h"
#include "convert/adapter.h"
#include "engine/engine.h"

namespace lens {

/// The adapter file that a path or a name in the folders stands for; nothing for anything else.
std::optional<std::filesystem::path> findAdapter(const std::string &name, const std::vector<std::string> &folders);

enum class BaseCheck {
    Headers,      ///< sizes agree: enough to list it
    Fingerprint,  ///< all weights are read
};

/// The base of an adapter that lies in `file`: beside it, where the run that made it found it (recipe.json), under its
/// name in the folders, then every model there.
Result<std::string> findBase(const SupraAdapter &adapter, const std::filesystem::path &file,
                             const std::vector<std::string> &folders, BaseCheck check, std::stop_token stop);

/// Facts of an adapted model from headers alone.
Result<ModelInfo> inspectAdapted(const std::string &base, const std::filesystem::path &adapterFile);

} // namespace lens
