// The vocabulary file of the RWKV "World" models: lines of an id, a Python literal and the number of its bytes.
#pragma once

#include "base/result.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lens::rwkv {

/// Bytes of each token by id; empty where the file names none. Id 0, the end of the text, is always there and empty
/// unless the file spells it.
using WorldVocabulary = std::vector<std::string>;

/// Malformed: lines of another form, a literal whose length is not the one stated, an id or a token twice;
/// LimitExceeded: ids far beyond the number of lines, overlong tokens. `where` names the file.
Result<WorldVocabulary> readWorldVocabulary(std::string_view content, const std::string &where);

Result<WorldVocabulary> readWorldVocabularyFile(const std::filesystem::path &file);

} // namespace lens::rwkv
