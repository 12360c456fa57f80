#include "engine/dump.h"

#include "checkpoint/safetensors.h"
#include "tensor/mappedfile.h"
#include "tensor/torchbridge.h"

#include <limits>
#include <nlohmann/json.hpp>

namespace lens {

namespace {

constexpr const char *advice = "give a safetensors file with input_ids [B,T], or a JSON list of lists of ids";
constexpr std::size_t largestJson = 64u << 20;

Result<void> append(TokenBatch &batch, std::int64_t id, const std::string &file)
{
    if (id < 0 || id > std::numeric_limits<TokenId>::max())
        return fail(ErrorCode::InvalidArgument, std::to_string(id) + " is no token id", file, "ids count from 0");
    batch.ids.push_back(static_cast<TokenId>(id));
    return {};
}

Result<void> appendRow(TokenBatch &batch, const nlohmann::json &row, const std::string &file)
{
    if (!row.is_array())
        return fail(ErrorCode::Malformed, "a row of ids is not a list", file, advice);
    if (batch.rows > 0 && static_cast<std::int64_t>(row.size()) != batch.columns)
        return fail(ErrorCode::InvalidArgument,
                    "row " + std::to_string(batch.rows) + " has another length than the first", file,
                    "rows must be equally long; run them one by one");
    for (const nlohmann::json &id : row) {
        if (!id.is_number_integer())
            return fail(ErrorCode::Malformed, "an id is not a whole number", file, advice);
        if (Result<void> added = append(batch, id.get<std::int64_t>(), file); !added)
            return added;
    }
    batch.columns = static_cast<std::int64_t>(row.size());
    ++batch.rows;
    return {};
}

Result<TokenBatch> fromJson(std::string_view text, const std::string &file)
{
    if (text.size() > largestJson)
        return fail(ErrorCode::LimitExceeded, "the list of ids is longer than 64 MiB", file, advice);
    const nlohmann::json document = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
    if (!document.is_array() || document.empty())
        return fail(ErrorCode::Malformed, "this is not a list of ids", file, advice);
    TokenBatch batch;
    if (!document.front().is_array()) {
        if (Result<void> added = appendRow(batch, document, file); !added)
            return propagate(added);
        return batch;
    }
    for (const nlohmann::json &row : document) {
        if (Result<void> added = appendRow(batch, row, file); !added)
            return propagate(added);
    }
    return batch;
}

Result<TokenBatch> fromTensor(const at::Tensor &tensor, const std::string &file)
{
    if (tensor.dim() < 1 || tensor.dim() > 2)
        return fail(ErrorCode::Malformed, "input_ids has " + std::to_string(tensor.dim()) + " dimensions", file,
                    advice);
    TokenBatch batch;
    batch.rows = tensor.dim() == 2 ? tensor.size(0) : 1;
    batch.columns = tensor.size(-1);
    const at::Tensor flat = tensor.to(at::kLong).contiguous();
    const std::int64_t *ids = flat.const_data_ptr<std::int64_t>();
    batch.ids.reserve(static_cast<std::size_t>(flat.numel()));
    for (std::int64_t i = 0; i < flat.numel(); ++i) {
        if (Result<void> added = append(batch, ids[i], file); !added)
            return propagate(added);
    }
    return batch;
}

Result<TokenBatch> fromSafetensors(const MappedFilePtr &mapped, const std::string &file)
{
    const Result<std::vector<StoredTensor>> tensors = readSafetensors(mapped);
    if (!tensors)
        return propagate(tensors);
    for (const StoredTensor &stored : *tensors) {
        if (stored.info.name != "input_ids")
            continue;
        if (stored.info.dtype != DType::I64 && stored.info.dtype != DType::I32)
            return fail(ErrorCode::Malformed, "input_ids is of type " + std::string(name(stored.info.dtype)), file,
                        advice);
        const Result<at::Tensor> tensor = loadStored(stored, stored.info.dtype);
        if (!tensor)
            return propagate(tensor);
        return guarded(file, [&] { return fromTensor(*tensor, file); });
    }
    return fail(ErrorCode::NotFound, "there is no tensor input_ids", file, advice);
}

} // namespace

Result<TokenBatch> readTokenBatch(const std::string &file)
{
    const Result<MappedFilePtr> mapped = MappedFile::open(file);
    if (!mapped)
        return propagate(mapped);
    const std::span<const std::byte> bytes = (*mapped)->bytes();
    const std::string_view text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
    const std::size_t start = text.find_first_not_of(" \t\r\n");
    // A safetensors file that begins with '[' would need a header of 91 or more bytes; its ninth byte tells.
    const bool isJson = start != text.npos && text[start] == '[' && !(text.size() > 8 && text[8] == '{');
    Result<TokenBatch> batch = isJson ? fromJson(text, file) : fromSafetensors(*mapped, file);
    if (batch && batch->ids.empty())
        return fail(ErrorCode::InvalidArgument, "there are no ids", file, advice);
    return batch;
}

} // namespace lens
