#include "corpus/tokencache.h"

#include "base/folders.h"
#include "base/hash.h"
#include "corpus/tokencacheformat.h"
#include "corpus/tokencachewriter.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <thread>
#include <unistd.h>

namespace lens {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kHashedWhole = 1u << 30;
constexpr std::uint64_t kHashedAtEachEnd = 64u << 20;
constexpr std::uint64_t kHashedAtOnce = 16u << 20;

void addField(Hasher &hasher, std::string_view text)
{
    hasher.add(std::to_string(text.size()) + ":");
    hasher.add(text);
}

Result<void> addBytes(Hasher &hasher, std::span<const std::byte> bytes, const std::stop_token &stop)
{
    for (std::size_t begin = 0; begin < bytes.size(); begin += kHashedAtOnce) {
        if (stop.stop_requested())
            return fail(ErrorCode::Cancelled, "tokenising was cancelled");
        hasher.add(bytes.subspan(begin, std::min<std::size_t>(kHashedAtOnce, bytes.size() - begin)));
    }
    return {};
}

Result<void> addFile(Hasher &hasher, const std::string &file, const std::stop_token &stop)
{
    const Result<MappedFilePtr> mapped = MappedFile::open(file);
    if (!mapped)
        return propagate(mapped);
    const std::span<const std::byte> bytes = (*mapped)->bytes();
    addField(hasher, isJsonLines(file) ? "json" : "text");
    addField(hasher, std::to_string(bytes.size()));
    if (bytes.size() <= kHashedWhole)
        return addBytes(hasher, bytes, stop);
    std::error_code ignored;
    addField(hasher, std::to_string(fs::last_write_time(file, ignored).time_since_epoch().count()));
    if (const Result<void> added = addBytes(hasher, bytes.first(kHashedAtEachEnd), stop); !added)
        return added;
    return addBytes(hasher, bytes.last(kHashedAtEachEnd), stop);
}

Result<std::string> keyOf(const CorpusOptions &options, const std::string &tokenizerFingerprint,
                          const std::stop_token &stop)
{
    Hasher hasher;
    for (const std::string &field : {std::to_string(TokenCacheFooter::currentVersion), tokenizerFingerprint,
                                     options.textField, options.separator})
        addField(hasher, field);
    for (const std::string &file : options.files)
        if (const Result<void> added = addFile(hasher, file, stop); !added)
            return propagate(added);
    return hasher.digest();
}

Result<fs::path> folderFor(const CorpusOptions &options)
{
    const fs::path folder = !options.cacheFolder.empty() ? fs::path(options.cacheFolder)
                            : userCacheFolder().empty()  ? fs::path()
                                                         : userCacheFolder() / "corpora";
    if (folder.empty())
        return fail(ErrorCode::InvalidArgument, "there is no folder to keep the tokenised text in", {},
                    "name a cache folder, or set XDG_CACHE_HOME");
    std::error_code error;
    fs::create_directories(folder, error);
    if (error)
        return fail(ErrorCode::Io, "the cache folder cannot be created: " + error.message(), folder.string(),
                    "name another cache folder");
    return folder;
}

/// Held while a cache is made, so that of several processes one makes it; the system frees it when a process dies.
class FileLock {
public:
    static Result<FileLock> take(const fs::path &file, const std::stop_token &stop)
    {
        FileLock lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
        if (lock.m_descriptor < 0)
            return fail(ErrorCode::Io, std::string("the file cannot be created: ") + std::strerror(errno), file.string(),
                        "check the folder and its permissions, or name another cache folder");
        while (::flock(lock.m_descriptor, LOCK_EX | LOCK_NB) != 0) {
            if (stop.stop_requested())
                return fail(ErrorCode::Cancelled, "tokenising was cancelled");
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
        return lock;
    }

    FileLock(FileLock &&other) noexcept : m_descriptor(std::exchange(other.m_descriptor, -1)) {}
    FileLock &operator=(FileLock &&) = delete;

    ~FileLock()
    {
        if (m_descriptor >= 0)
            ::close(m_descriptor);
    }

private:
    explicit FileLock(int descriptor) : m_descriptor(descriptor) {}
    int m_descriptor;
};

/// What a process that was killed in the middle left in the folder. Only with the lock held.
void removeUnfinished(const fs::path &file)
{
    std::error_code ignored;
    const std::string beginning = "." + file.filename().string() + ".";
    for (const fs::directory_entry &entry : fs::directory_iterator(file.parent_path(), ignored)) {
        const std::string name = entry.path().filename().string();
        if (name.rfind(beginning, 0) == 0 && entry.path().extension() == ".part")
            fs::remove(entry.path(), ignored);
    }
}

} // namespace

std::string fingerprint(const Tokenizer &tokenizer)
{
    Hasher hasher;
    addField(hasher, tokenizer.kind());
    for (std::size_t id = 0; id < tokenizer.size(); ++id)
        addField(hasher, tokenizer.piece(static_cast<TokenId>(id)));
    for (const char *text : {"A  text,\n\twith 1234 and \xc3\xa9\xef\xac\x81 e\xcc\x81\xe2\x80\x8b.", " it's", ""}) {
        const Result<std::vector<TokenId>> ids = tokenizer.encode(text);
        addField(hasher, ids ? std::string_view(reinterpret_cast<const char *>(ids->data()), ids->size() * sizeof(TokenId))
                             : std::string_view("error"));
    }
    addField(hasher, std::to_string(tokenizer.special().eos.value_or(-1)));
    return hasher.digest();
}

bool TokenCache::readStructure(const std::string &key)
{
    const std::span<const std::byte> bytes = m_file->bytes();
    TokenCacheFooter footer;
    if (bytes.size() < sizeof footer)
        return false;
    std::memcpy(&footer, bytes.data() + bytes.size() - sizeof footer, sizeof footer);
    const std::uint64_t most = bytes.size();
    const bool known = footer.magic == TokenCacheFooter::expectedMagic &&
                       footer.version == TokenCacheFooter::currentVersion &&
                       std::string_view(footer.key.data(), footer.key.size()) == key &&
                       (footer.tokenBytes == 2 || footer.tokenBytes == 4);
    if (!known || footer.tokens > most || footer.documents == 0 || footer.documents > most)
        return false;
    const std::uint64_t idBytes = paddedIdBytes(footer.tokens, footer.tokenBytes);
    const std::uint64_t startBytes = (footer.documents + 1) * sizeof(std::uint64_t);
    if (idBytes + startBytes + sizeof footer != bytes.size())
        return false;
    m_ids = bytes.data();
    m_starts = reinterpret_cast<const std::uint64_t *>(bytes.data() + idBytes);
    m_tokenBytes = footer.tokenBytes;
    m_tokens = static_cast<std::int64_t>(footer.tokens);
    m_documents = static_cast<std::int64_t>(footer.documents);
    m_textBytes = footer.textBytes;
    return m_starts[0] == 0 && m_starts[m_documents] == footer.tokens &&
           std::is_sorted(m_starts, m_starts + m_documents + 1);
}

Result<TokenCachePtr> TokenCache::map(const fs::path &file, const std::string &key)
{
    Result<MappedFilePtr> mapped = MappedFile::open(file);
    if (!mapped)
        return propagate(mapped);
    const std::shared_ptr<TokenCache> cache(new TokenCache(std::move(*mapped)));
    if (!cache->readStructure(key))
        return fail(ErrorCode::Malformed, "the tokenised text is damaged", file.string(), "remove the file");
    return TokenCachePtr(cache);
}

Result<TokenCachePtr> TokenCache::open(const CorpusOptions &options, const Tokenizer &tokenizer,
                                       const std::string &tokenizerFingerprint, std::stop_token stop,
                                       const ProgressFn &progress)
try {
    return openOrMake(options, tokenizer, tokenizerFingerprint, stop, progress);
} catch (const std::bad_alloc &) {
    return fail(ErrorCode::OutOfMemory, "not enough memory to tokenise the text", {}, "close other programs");
} catch (const std::system_error &error) {
    return fail(ErrorCode::Io, std::string("the text cannot be tokenised: ") + error.what());
}

Result<TokenCachePtr> TokenCache::openOrMake(const CorpusOptions &options, const Tokenizer &tokenizer,
                                             const std::string &tokenizerFingerprint, const std::stop_token &stop,
                                             const ProgressFn &progress)
{
    if (options.files.empty())
        return fail(ErrorCode::InvalidArgument, "there is no text to train on", {}, "name one or more files");
    const Result<std::string> key = keyOf(options, tokenizerFingerprint, stop);
    if (!key)
        return propagate(key);
    const Result<fs::path> folder = folderFor(options);
    if (!folder)
        return propagate(folder);
    const fs::path file = *folder / (*key + ".tokens");
    if (Result<TokenCachePtr> ready = map(file, *key))
        return ready;

    const Result<FileLock> lock = FileLock::take(*folder / (*key + ".lock"), stop);
    if (!lock)
        return propagate(lock);
    if (Result<TokenCachePtr> ready = map(file, *key))
        return ready;
    removeUnfinished(file);
    Result<TokenCacheWriter> writer = TokenCacheWriter::create(file, *key, tokenizer);
    if (!writer)
        return propagate(writer);
    if (const Result<void> added = writer->addFiles(options, stop, progress); !added)
        return propagate(added);
    if (const Result<void> committed = writer->commit(); !committed)
        return propagate(committed);
    return map(file, *key);
}

std::int64_t TokenCache::documentStart(std::int64_t document) const
{
    assert(document >= 0 && document <= m_documents);
    return static_cast<std::int64_t>(m_starts[document]);
}

void TokenCache::copy(std::int64_t first, std::span<TokenId> out) const
{
    assert(first >= 0 && first + static_cast<std::int64_t>(out.size()) <= m_tokens);
    if (m_tokenBytes == 2) {
        const auto *ids = reinterpret_cast<const std::uint16_t *>(m_ids) + first;
        std::copy(ids, ids + out.size(), out.begin());
    } else {
        const auto *ids = reinterpret_cast<const std::uint32_t *>(m_ids) + first;
        std::copy(ids, ids + out.size(), out.begin());
    }
}

} // namespace lens
