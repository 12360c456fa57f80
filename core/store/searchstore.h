// Full-text search over titles, prompts and answers.
#pragma once

#include "base/result.h"
#include "store/records.h"

#include <string>
#include <vector>

namespace lens {

class Connection;

class SearchStore {
public:
    explicit SearchStore(Connection &connection);

    /// Best first; sessions in the bin are left out. All words must occur; words in double quotes must follow each
    /// other; the last word may be the beginning of one, so that results come while typing. Case and accents do not
    /// matter. Anything typed is a valid query; one without words finds nothing.
    Result<std::vector<SearchHit>> find(const std::string &query, std::int64_t limit = 50, std::int64_t offset = 0);

private:
    Connection &m_connection;
};

} // namespace lens
