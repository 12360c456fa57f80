#include "store/probestore.h"

#include "store/codec.h"
#include "store/connection.h"
#include "store/jsonforms.h"

#include <algorithm>
#include <limits>

namespace lens {

namespace {

constexpr std::int64_t maxValues = std::int64_t(256) / sizeof(float) << 20;

/// The number of values the shape announces, or nothing where it is not a sensible one.
std::optional<std::int64_t> volume(const ProbeChunk &chunk)
{
    std::int64_t product = 1;
    const auto multiply = [&](std::int64_t extent) {
        if (extent < 0 || (extent > 0 && product > maxValues / extent))
            return false;
        product *= extent;
        return true;
    };
    if (chunk.firstToken < 0 || !multiply(chunk.tokens))
        return std::nullopt;
    if (!std::all_of(chunk.shape.begin(), chunk.shape.end(), multiply))
        return std::nullopt;
    return product;
}

Result<ProbeChunk> readChunk(SQLite::Statement &row, const std::string &kind)
{
    auto values = decodeFloats(bytesOf(row.getColumn(3)));
    if (!values)
        return propagate(values);
    ProbeChunk chunk;
    chunk.kind = kind;
    chunk.firstToken = row.getColumn(0).getInt64();
    chunk.tokens = row.getColumn(1).getInt64();
    const auto shape = parseJson(row.getColumn(2).getString());
    if (!shape || !shape->is_array())
        return fail(ErrorCode::Malformed, "the shape of a measurement is damaged");
    for (const nlohmann::json &extent : *shape)
        chunk.shape.push_back(extent.is_number_integer() ? extent.get<std::int64_t>() : -1);
    chunk.values = std::move(*values);
    if (volume(chunk) != static_cast<std::int64_t>(chunk.values.size()))
        return fail(ErrorCode::Malformed, "the shape of a measurement does not fit its values");
    return chunk;
}

void place(HeadFrame &frame, const ProbeChunk &chunk)
{
    const std::int64_t perToken = frame.layers * frame.heads;
    std::copy(chunk.values.begin(), chunk.values.end(),
              frame.values.begin() + (chunk.firstToken - frame.firstToken) * perToken);
}

} // namespace

const char *kindOf(HeadQuantity quantity)
{
    return quantity == HeadQuantity::StateNorm ? "state-norm" : "retention";
}

ProbeChunk toChunk(const HeadFrame &frame)
{
    return {kindOf(frame.quantity), frame.firstToken, frame.tokens, {frame.layers, frame.heads}, frame.values};
}

ProbeStore::ProbeStore(Connection &connection) : m_connection(connection)
{
}

Result<void> ProbeStore::append(RowId generation, const ProbeChunk &chunk)
{
    if (volume(chunk) != static_cast<std::int64_t>(chunk.values.size()))
        return fail(ErrorCode::InvalidArgument, "a measurement's shape does not fit its values", m_connection.path());
    return m_connection.write([&]() -> Result<void> {
        const auto data = encodeFloats(chunk.values);
        if (!data)
            return propagate(data);
        m_connection.execute("INSERT INTO probe_chunks (generation, kind, first_token, tokens, shape, data) "
                             "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                             generation, chunk.kind, chunk.firstToken, chunk.tokens, dumpJson(chunk.shape), *data);
        return {};
    });
}

Result<std::vector<std::string>> ProbeStore::kinds(RowId generation)
{
    return m_connection.read([&]() -> Result<std::vector<std::string>> {
        SQLite::Statement rows = m_connection.prepare(
            "SELECT DISTINCT kind FROM probe_chunks WHERE generation = ?1 ORDER BY kind", generation);
        std::vector<std::string> kinds;
        while (rows.executeStep())
            kinds.push_back(rows.getColumn(0).getString());
        return kinds;
    });
}

Result<std::vector<ProbeChunk>> ProbeStore::chunks(RowId generation, const std::string &kind)
{
    return m_connection.read([&]() -> Result<std::vector<ProbeChunk>> {
        SQLite::Statement rows = m_connection.prepare("SELECT first_token, tokens, shape, data FROM probe_chunks "
                                                      "WHERE generation = ?1 AND kind = ?2 ORDER BY id",
                                                      generation, kind);
        std::vector<ProbeChunk> chunks;
        while (rows.executeStep()) {
            auto chunk = readChunk(rows, kind);
            if (!chunk)
                return propagate(chunk);
            chunks.push_back(std::move(*chunk));
        }
        return chunks;
    });
}

Result<HeadFrame> ProbeStore::heads(RowId generation, HeadQuantity quantity)
{
    const auto all = chunks(generation, kindOf(quantity));
    if (!all)
        return propagate(all);
    HeadFrame frame;
    frame.quantity = quantity;
    if (all->empty())
        return frame;
    std::int64_t end = 0;
    frame.firstToken = std::numeric_limits<std::int64_t>::max();
    for (const ProbeChunk &chunk : *all) {
        if (chunk.shape.size() != 2 || chunk.shape != all->front().shape ||
            chunk.tokens > std::numeric_limits<std::int64_t>::max() - chunk.firstToken)
            return fail(ErrorCode::Malformed, "measurements of one generation have different shapes",
                        m_connection.path());
        frame.firstToken = std::min(frame.firstToken, chunk.firstToken);
        end = std::max(end, chunk.firstToken + chunk.tokens);
    }
    frame.tokens = end - frame.firstToken;
    frame.layers = all->front().shape[0];
    frame.heads = all->front().shape[1];
    const auto size = volume({kindOf(quantity), frame.firstToken, frame.tokens, {frame.layers, frame.heads}, {}});
    if (!size)
        return fail(ErrorCode::LimitExceeded, "measurements of one generation take more than 256 MiB",
                    m_connection.path());
    frame.values.assign(static_cast<std::size_t>(*size), std::numeric_limits<float>::quiet_NaN());
    for (const ProbeChunk &chunk : *all)
        place(frame, chunk);
    return frame;
}

} // namespace lens
