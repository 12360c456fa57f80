#include "uptrain/trainingcheckpoint.h"

#include "checkpoint/jsonfile.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/writer.h"
#include "model/configreader.h"
#include "tensor/torchbridge.h"

#include <algorithm>
#include <cmath>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace lens {

namespace {

namespace fs = std::filesystem;

constexpr const char *kPositionFile = "position.json";
constexpr const char *kMastersFile = "masters.safetensors";
constexpr const char *kOptimiserFile = "optimiser.safetensors";
constexpr std::string_view kPrefix = "step-";

/// A perplexity that is no number is one that is not known.
double known(double perplexity)
{
    return std::isfinite(perplexity) ? perplexity : 0;
}

nlohmann::json toJson(const RunPosition &position)
{
    return {{"step", position.step}, {"stage", position.stage}, {"stage_step", position.stageStep},
            {"tokens", position.tokens}, {"seconds", position.seconds}, {"skipped", position.skipped},
            {"skipped_in_a_row", position.skippedInARow}, {"perplexity", known(position.perplexity)},
            {"original_perplexity", known(position.originalPerplexity)}};
}

Result<RunPosition> positionFromJson(const nlohmann::json &json, const std::string &where)
{
    constexpr std::int64_t most = std::int64_t{1} << 60;
    ConfigReader reader(json, where);
    RunPosition position;
    position.step = reader.integer("step", 0, most);
    position.stage = reader.integer("stage", 0, most);
    position.stageStep = reader.integer("stage_step", 0, most);
    position.tokens = reader.integer("tokens", 0, most);
    position.seconds = reader.number("seconds", 0, 1e18);
    position.skipped = reader.integer("skipped", 0, most);
    position.skippedInARow = reader.integer("skipped_in_a_row", 0, most);
    position.perplexity = reader.number("perplexity", 0, 1e308, 0);
    position.originalPerplexity = reader.number("original_perplexity", 0, 1e308, 0);
    if (reader.error())
        return tl::unexpected<Error>(*reader.error());
    return position;
}

Result<NamedTensors> readTensors(const fs::path &file)
{
    const auto mapped = MappedFile::open(file);
    if (!mapped)
        return propagate(mapped);
    const auto stored = readSafetensors(*mapped);
    if (!stored)
        return propagate(stored);
    NamedTensors tensors;
    for (const StoredTensor &part : *stored) {
        auto tensor = loadStored(part, DType::F32);
        if (!tensor)
            return propagate(tensor);
        tensors[part.info.name] = std::move(*tensor);
    }
    return tensors;
}

NamedTensors onCpu(const NamedTensors &tensors)
{
    NamedTensors copies;
    for (const auto &[name, tensor] : tensors)
        copies[name] = tensor.detach().to(at::kCPU).contiguous();
    return copies;
}

/// So that the rename itself survives a power cut.
void syncFolder(const fs::path &folder)
{
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    ::fsync(descriptor);
    ::close(descriptor);
}

} // namespace

fs::path CheckpointFolder::folderOf(std::int64_t step) const
{
    std::string digits = std::to_string(step);
    digits.insert(0, digits.size() < 8 ? 8 - digits.size() : 0, '0');
    return m_folder / (std::string(kPrefix) + digits);
}

Result<void> CheckpointFolder::write(const RunCheckpoint &checkpoint) const
{
    return guarded(m_folder.string(), [&]() -> Result<void> {
        const fs::path target = folderOf(checkpoint.position.step), partial = m_folder / "writing";
        std::error_code error;
        fs::remove_all(partial, error);
        fs::create_directories(partial, error);
        if (error)
            return fail(ErrorCode::Io, "the folder cannot be made: " + error.message(), partial.string(), "choose another folder");
        const auto written = [&]() -> Result<void> {
            if (auto masters = writeSafetensors(partial / kMastersFile, onCpu(checkpoint.masters)); !masters)
                return masters;
            if (auto optimiser = writeSafetensors(partial / kOptimiserFile, onCpu(checkpoint.optimiser)); !optimiser)
                return optimiser;
            return writeFileAtomically(partial / kPositionFile, toJson(checkpoint.position).dump(1) + "\n");
        }();
        if (!written) {
            fs::remove_all(partial, error);
            return written;
        }
        syncFolder(partial);
        fs::remove_all(target, error);
        fs::rename(partial, target, error);
        if (error)
            return fail(ErrorCode::Io, "the checkpoint cannot be given its name: " + error.message(), target.string());
        syncFolder(m_folder);
        removeOld();
        return {};
    });
}

std::vector<std::int64_t> CheckpointFolder::steps() const
{
    std::vector<std::int64_t> steps;
    std::error_code error;
    for (const fs::directory_entry &entry : fs::directory_iterator(m_folder, error)) {
        const std::string name = entry.path().filename().string();
        const std::string digits = name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : std::string();
        if (!digits.empty() && digits.size() < 18 && std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
            steps.push_back(std::stoll(digits));
    }
    std::sort(steps.begin(), steps.end());
    return steps;
}

void CheckpointFolder::removeOld() const
{
    const std::vector<std::int64_t> all = steps();
    std::error_code ignored;
    for (std::size_t i = 0; i + static_cast<std::size_t>(m_keep) < all.size(); ++i)
        fs::remove_all(folderOf(all[i]), ignored);
}

Result<RunCheckpoint> CheckpointFolder::read(std::int64_t step) const
{
    const fs::path folder = folderOf(step);
    const auto json = readJsonObject(folder / kPositionFile);
    if (!json)
        return propagate(json);
    auto position = positionFromJson(*json, (folder / kPositionFile).string());
    if (!position)
        return propagate(position);
    auto masters = readTensors(folder / kMastersFile);
    if (!masters)
        return propagate(masters);
    auto optimiser = readTensors(folder / kOptimiserFile);
    if (!optimiser)
        return propagate(optimiser);
    return RunCheckpoint{*position, std::move(*masters), std::move(*optimiser)};
}

Result<std::optional<RunCheckpoint>> CheckpointFolder::newest() const
{
    return guarded(m_folder.string(), [&]() -> Result<std::optional<RunCheckpoint>> {
        std::vector<std::int64_t> all = steps();
        std::optional<Error> damage;
        for (; !all.empty(); all.pop_back()) {
            if (auto checkpoint = read(all.back()))
                return std::optional<RunCheckpoint>(std::move(*checkpoint));
            else if (!damage)
                damage = checkpoint.error();
        }
        if (damage)
            return tl::unexpected<Error>(*damage);
        return std::optional<RunCheckpoint>();
    });
}

} // namespace lens
