// Named values and blobs of a workspace.
#pragma once

#include "base/result.h"
#include "store/records.h"

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lens {

class Connection;

class SettingsStore {
public:
    explicit SettingsStore(Connection &connection);

    Result<std::optional<std::string>> value(const std::string &key);
    Result<void> setValue(const std::string &key, const std::string &value);
    Result<void> remove(const std::string &key);

    /// All whose key begins with `prefix`.
    Result<std::map<std::string, std::string>> values(const std::string &prefix = {});

    /// Keeps bytes under their content hash, which is returned; the same bytes are stored once.
    Result<std::string> putBlob(std::span<const std::byte> bytes, const std::string &mediaType);
    Result<std::vector<std::byte>> blob(const std::string &hash);
    Result<void> removeBlob(const std::string &hash);

private:
    Connection &m_connection;
};

} // namespace lens
