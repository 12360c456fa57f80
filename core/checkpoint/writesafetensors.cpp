#include "base/atomicfile.h"
#include "checkpoint/tensorsource.h"
#include "tensor/torchbridge.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace lens {

namespace {

constexpr std::size_t kHeaderAlignment = 8;

using Entry = NamedTensors::value_type;

/// Wide types first, so that every tensor is aligned to its element; then by name.
std::vector<const Entry *> inFileOrder(const NamedTensors &tensors)
{
    std::vector<const Entry *> order;
    for (const Entry &entry : tensors)
        order.push_back(&entry);
    std::ranges::stable_sort(order, std::greater(), [](const Entry *entry) { return entry->second.element_size(); });
    return order;
}

std::string header(const std::vector<const Entry *> &order, const std::map<std::string, std::string> &metadata)
{
    nlohmann::json json = nlohmann::json::object();
    if (!metadata.empty())
        json["__metadata__"] = metadata;
    std::uint64_t offset = 0;
    for (const Entry *entry : order) {
        const at::Tensor &tensor = entry->second;
        const std::uint64_t end = offset + tensor.nbytes();
        json[entry->first] = {{"dtype", name(*storableType(tensor.scalar_type()))},
                              {"shape", tensor.sizes().vec()},
                              {"data_offsets", {offset, end}}};
        offset = end;
    }
    std::string text = json.dump();
    text.resize((text.size() + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment, ' ');
    return text;
}

} // namespace

Result<void> writeSafetensors(const std::filesystem::path &path, const NamedTensors &tensors,
                              const std::map<std::string, std::string> &metadata, std::stop_token stop,
                              const ProgressFn &progress)
{
    return guarded(path.string(), [&]() -> Result<void> {
        if (const Result<void> checked = checkStorable(tensors, path.string()); !checked)
            return checked;
        Result<AtomicFile> file = AtomicFile::create(path);
        if (!file)
            return propagate(file);
        const std::vector<const Entry *> order = inFileOrder(tensors);
        const std::string text = header(order, metadata);
        const auto length = static_cast<std::uint64_t>(text.size());
        Result<void> done = file->write(std::as_bytes(std::span(&length, 1)));
        if (done)
            done = file->write(text);
        Progress state{"writing weights", 0, totalBytes(tensors)};
        for (std::size_t i = 0; i < order.size() && done; ++i) {
            if (stop.stop_requested())
                return fail(ErrorCode::Cancelled, "writing was cancelled", path.string());
            const at::Tensor tensor = ready(order[i]->second);
            done = file->write(bytesOf(tensor));
            state.done += tensor.nbytes();
            if (progress)
                progress(state);
        }
        return done ? file->commit() : done;
    });
}

Result<void> writeFileAtomically(const std::filesystem::path &path, std::string_view content)
{
    return guarded(path.string(), [&]() -> Result<void> {
        Result<AtomicFile> file = AtomicFile::create(path);
        if (!file)
            return propagate(file);
        if (const Result<void> done = file->write(content); !done)
            return done;
        return file->commit();
    });
}

} // namespace lens
