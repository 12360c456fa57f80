#include "store/searchstore.h"

#include "store/connection.h"

#include <algorithm>

namespace lens {

namespace {

constexpr std::size_t maxQueryBytes = 1000;
constexpr char matchBegin = '\x02';
constexpr char matchEnd = '\x03';

bool isSpace(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// One FTS5 string: nothing in it has a meaning.
std::string quoted(const std::string &words)
{
    return '"' + words + '"';
}

/// What was typed as an FTS5 query. Every word becomes a string, so that "AND", "*" or ":" are only looked for; the
/// last one, unless quoted or followed by a space, matches as a prefix.
std::string toFtsQuery(std::string typed)
{
    typed.resize(std::min(typed.size(), maxQueryBytes));
    std::replace_if(
        typed.begin(), typed.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    std::string query;
    for (std::size_t at = 0; at < typed.size();) {
        if (isSpace(typed[at])) {
            ++at;
            continue;
        }
        const bool phrase = typed[at] == '"';
        const std::size_t begin = phrase ? at + 1 : at;
        const std::size_t end = phrase ? typed.find('"', begin) : typed.find_first_of(" \"", begin);
        const bool open = end == std::string::npos;
        const std::string words = typed.substr(begin, open ? std::string::npos : end - begin);
        if (!words.empty())
            query += (query.empty() ? "" : " ") + quoted(words) + (open ? "*" : "");
        at = open ? typed.size() : end + (phrase ? 1 : 0);
    }
    return query;
}

std::vector<SnippetPiece> splitSnippet(const std::string &marked)
{
    std::vector<SnippetPiece> pieces;
    bool match = false;
    std::string text;
    const auto close = [&](bool next) {
        if (!text.empty())
            pieces.push_back({std::move(text), match});
        text.clear();
        match = next;
    };
    for (const char c : marked) {
        if (c == matchBegin || c == matchEnd)
            close(c == matchBegin);
        else
            text += c;
    }
    close(false);
    return pieces;
}

} // namespace

SearchStore::SearchStore(Connection &connection) : m_connection(connection)
{
}

Result<std::vector<SearchHit>> SearchStore::find(const std::string &query, std::int64_t limit, std::int64_t offset)
{
    const std::string fts = toFtsQuery(query);
    if (fts.empty())
        return std::vector<SearchHit>();
    return m_connection.read([&]() -> Result<std::vector<SearchHit>> {
        SQLite::Statement rows = m_connection.prepare(
            "SELECT i.rowid & 3, s.id, t.id, g.id, s.title, s.modified, "
            "snippet(search_index, 0, char(2), char(3), '…', 24) FROM search_index AS i "
            "LEFT JOIN generations g ON i.rowid & 3 = 2 AND g.id = i.rowid >> 2 "
            "LEFT JOIN turns t ON t.id = CASE i.rowid & 3 WHEN 1 THEN i.rowid >> 2 WHEN 2 THEN g.turn END "
            "CROSS JOIN sessions s ON s.id = CASE i.rowid & 3 WHEN 0 THEN i.rowid >> 2 ELSE t.session END "
            "WHERE search_index MATCH ?1 AND s.deleted = 0 ORDER BY rank LIMIT ?2 OFFSET ?3",
            fts, std::max<std::int64_t>(limit, 0), std::max<std::int64_t>(offset, 0));
        std::vector<SearchHit> hits;
        while (rows.executeStep()) {
            SearchHit hit;
            hit.kind = static_cast<SearchKind>(rows.getColumn(0).getInt());
            hit.session = rows.getColumn(1).getInt64();
            hit.turn = rows.getColumn(2).getInt64();
            hit.generation = rows.getColumn(3).getInt64();
            hit.sessionTitle = rows.getColumn(4).getString();
            hit.modified = rows.getColumn(5).getInt64();
            hit.snippet = splitSnippet(rows.getColumn(6).getString());
            hits.push_back(std::move(hit));
        }
        return hits;
    });
}

} // namespace lens
