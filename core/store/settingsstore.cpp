#include "store/settingsstore.h"

#include "base/hash.h"
#include "store/connection.h"

namespace lens {

namespace {

constexpr std::size_t maxBlobBytes = std::size_t(256) << 20;

} // namespace

SettingsStore::SettingsStore(Connection &connection) : m_connection(connection)
{
}

Result<std::optional<std::string>> SettingsStore::value(const std::string &key)
{
    return m_connection.read([&]() -> Result<std::optional<std::string>> {
        SQLite::Statement row = m_connection.prepare("SELECT value FROM settings WHERE key = ?1", key);
        if (!row.executeStep())
            return std::optional<std::string>();
        return std::optional(row.getColumn(0).getString());
    });
}

Result<void> SettingsStore::setValue(const std::string &key, const std::string &value)
{
    return m_connection.write([&]() -> Result<void> {
        m_connection.execute("INSERT OR REPLACE INTO settings (key, value) VALUES (?1, ?2)", key, value);
        return {};
    });
}

Result<void> SettingsStore::remove(const std::string &key)
{
    return m_connection.write([&]() -> Result<void> {
        m_connection.execute("DELETE FROM settings WHERE key = ?1", key);
        return {};
    });
}

Result<std::map<std::string, std::string>> SettingsStore::values(const std::string &prefix)
{
    return m_connection.read([&]() -> Result<std::map<std::string, std::string>> {
        SQLite::Statement rows =
            m_connection.prepare("SELECT key, value FROM settings WHERE key >= ?1 ORDER BY key", prefix);
        std::map<std::string, std::string> values;
        while (rows.executeStep()) {
            std::string key = rows.getColumn(0).getString();
            if (!key.starts_with(prefix))
                break;
            values.emplace(std::move(key), rows.getColumn(1).getString());
        }
        return values;
    });
}

Result<std::string> SettingsStore::putBlob(std::span<const std::byte> bytes, const std::string &mediaType)
{
    if (bytes.size() > maxBlobBytes)
        return fail(ErrorCode::LimitExceeded, "a blob may not be larger than 256 MiB", m_connection.path());
    Hasher hasher;
    hasher.add(bytes);
    const std::string hash = hasher.digest();
    return m_connection.write([&]() -> Result<std::string> {
        m_connection.execute(
            "INSERT INTO blobs (hash, media_type, data) VALUES (?1, ?2, ?3) ON CONFLICT (hash) DO NOTHING", hash,
            mediaType, Bytes(bytes.begin(), bytes.end()));
        return hash;
    });
}

Result<std::vector<std::byte>> SettingsStore::blob(const std::string &hash)
{
    return m_connection.read([&]() -> Result<std::vector<std::byte>> {
        SQLite::Statement row = m_connection.prepare("SELECT data FROM blobs WHERE hash = ?1", hash);
        if (!row.executeStep())
            return fail(ErrorCode::NotFound, "there is no blob " + hash, m_connection.path());
        const auto bytes = bytesOf(row.getColumn(0));
        Hasher hasher;
        hasher.add(bytes);
        if (hasher.digest() != hash)
            return fail(ErrorCode::Malformed, "blob " + hash + " is damaged", m_connection.path());
        return std::vector<std::byte>(bytes.begin(), bytes.end());
    });
}

Result<void> SettingsStore::removeBlob(const std::string &hash)
{
    return m_connection.write([&]() -> Result<void> {
        if (m_connection.execute("DELETE FROM blobs WHERE hash = ?1", hash) == 0)
            return fail(ErrorCode::NotFound, "there is no blob " + hash, m_connection.path());
        return {};
    });
}

} // namespace lens
