#include "engine/modelfolders.h"

#include "base/folders.h"
#include "checkpoint/adapterfile.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <set>

namespace lens {

namespace {

namespace fs = std::filesystem;

std::string lower(std::string text)
{
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

bool isWeightFile(const fs::path &file)
{
    static constexpr std::array<std::string_view, 5> extensions = {".gguf", ".safetensors", ".bin", ".pt", ".pth"};
    return std::ranges::find(extensions, lower(file.extension().string())) != extensions.end();
}

bool looksLikeModel(const fs::path &path)
{
    std::error_code error;
    if (fs::is_regular_file(path, error))
        return isWeightFile(path);
    fs::directory_iterator entries(path, error);
    return !error && std::any_of(fs::begin(entries), fs::end(entries), [](const fs::directory_entry &entry) {
        std::error_code ignored;
        return isWeightFile(entry.path()) && entry.is_regular_file(ignored);
    });
}

/// What a person would call it.
std::string modelName(const fs::path &path)
{
    return isWeightFile(path) ? path.stem().string() : path.filename().string();
}

} // namespace

std::vector<std::string> standardModelFolders()
{
    std::vector<std::string> folders = splitPathList(environmentVariable("SUPRALENS_MODELS"));
    if (const fs::path user = userDataFolder(); !user.empty())
        folders.push_back((user / "models").string());
    if (const fs::path own = privateDataFolder(); !own.empty())
        folders.push_back((own / "models").string());
    for (const fs::path &shared : sharedDataFolders())
        folders.push_back((shared / "models").string());
    std::set<fs::path> seen;
    std::erase_if(folders, [&seen](const std::string &folder) {
        std::error_code error;
        return !fs::is_directory(folder, error) || !seen.insert(fs::canonical(folder, error)).second;
    });
    return folders;
}

std::vector<std::string> listModels(std::span<const std::string> folders)
{
    std::vector<fs::path> models;
    std::set<std::string> names;
    for (const std::string &folder : folders) {
        std::error_code error;
        for (const fs::directory_entry &entry : fs::directory_iterator(folder, error))
            if (looksLikeModel(entry.path()) && names.insert(lower(modelName(entry.path()))).second)
                models.push_back(entry.path());
    }
    std::ranges::sort(models, {}, [](const fs::path &path) { return lower(modelName(path)); });
    std::vector<std::string> result;
    for (const fs::path &path : models)
        result.push_back(path.string());
    return result;
}

bool isAdapter(const std::string &path)
{
    return adapterFileAt(path).has_value();
}

Result<std::string> resolveModel(std::string_view name, std::span<const std::string> folders)
{
    std::error_code error;
    if (!name.empty() && fs::exists(fs::path(name), error))
        return std::string(name);
    const auto missing = [&] {
        return fail(ErrorCode::NotFound, "there is no such file, folder or model", std::string(name),
                    "check the spelling; the window's Models page, or ./run --get smollm2, fetches one to begin with");
    };
    if (name.empty() || name.find('/') != std::string_view::npos)
        return missing();

    const std::string wanted = lower(std::string(name));
    std::vector<std::string> beginning;
    for (const std::string &model : listModels(folders)) {
        const fs::path path(model);
        if (lower(modelName(path)) == wanted || lower(path.filename().string()) == wanted)
            return model;
        if (lower(modelName(path)).starts_with(wanted))
            beginning.push_back(model);
    }
    if (beginning.size() == 1)
        return beginning.front();
    if (beginning.empty())
        return missing();
    return fail(ErrorCode::InvalidArgument, "several models have names that begin like this", std::string(name),
                "write more of the name, for example " + modelName(beginning.front()));
}

} // namespace lens
