#include "checkpoint/shardindex.h"

#include "checkpoint/bytereader.h"
#include "checkpoint/jsonfile.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_set>

namespace lens {

namespace {

constexpr const char *kAdvice = "download the index again";

/// Some writers give the size as 123.0.
std::optional<std::uint64_t> wholeNumber(const nlohmann::json &value)
{
    if (value.is_number_unsigned())
        return value.get<std::uint64_t>();
    if (!value.is_number_float())
        return std::nullopt;
    const double number = value.get<double>();
    return number >= 0 && number < 9e15 && number == std::floor(number)
               ? std::optional(static_cast<std::uint64_t>(number))
               : std::nullopt;
}

} // namespace

Result<ShardIndex> readShardIndex(const std::filesystem::path &file)
{
    const Result<nlohmann::json> json = readJsonObject(file, DuplicateKeys::Refuse);
    if (!json)
        return propagate(json);
    ShardIndex index;
    if (const auto metadata = json->find("metadata"); metadata != json->end() && metadata->is_object())
        if (const auto size = metadata->find("total_size"); size != metadata->end()) {
            index.totalSize = wholeNumber(*size);
            if (!index.totalSize)
                return fail(ErrorCode::Malformed, "total_size is not a size", file.string(), kAdvice);
        }
    const auto map = json->find("weight_map");
    if (map == json->end() || !map->is_object() || map->empty())
        return fail(ErrorCode::Malformed, "the index has no weight_map", file.string(), kAdvice);
    for (const auto &[tensor, name] : map->items()) {
        if (!name.is_string())
            return fail(ErrorCode::Malformed, "the file of tensor \"" + shortened(tensor) + "\" is not a name",
                        file.string(), kAdvice);
        index.fileOf.emplace(tensor, name.get<std::string>());
    }
    return index;
}

} // namespace lens
