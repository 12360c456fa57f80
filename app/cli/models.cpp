#include "cli/models.h"

#include "cli/format.h"
#include "engine/specification.h"

#include <filesystem>
#include <fstream>

namespace lens::cli {

namespace fs = std::filesystem;

namespace {

bool isThere(const fs::path &path)
{
    std::error_code ignored;
    return fs::exists(path, ignored);
}

} // namespace

Result<Specification> specificationOf(const std::string &typed)
{
    const std::size_t adapter = typed.rfind("@adapter=");
    const std::size_t at = adapter != std::string::npos ? adapter : typed.rfind('@');
    const bool isConversion = at != std::string::npos && !isThere(typed);
    Result<std::string> path = resolveModel(isConversion ? typed.substr(0, at) : typed, standardModelFolders());
    if (!path)
        return propagate(path);
    return Specification{std::move(*path), isConversion ? typed.substr(at + 1) : std::string()};
}

Result<LoadedModelPtr> ModelLoader::loadPlain(const std::string &path)
{
    if (const auto known = m_loaded.find(path); known != m_loaded.end())
        return known->second;
    Result<LoadedModelPtr> model =
        loadModel(path, m_environment.options.load, m_environment.stop, m_environment.console.progress());
    m_environment.console.clearProgress();
    if (!model)
        return model;
    if (!(*model)->info().deviceNote.empty() && m_environment.options.load.device != "auto")
        m_environment.console.remark((*model)->info().name + ": " + (*model)->info().deviceNote);
    m_loaded[path] = *model;
    return model;
}

Result<LoadedModelPtr> ModelLoader::loadAdapted(const std::string &base, const std::string &key)
{
    const Result<ModelSpecification> parsed = parseSpecification(key);
    if (!parsed)
        return propagate(parsed);
    if (!parsed->adapter)
        return loadPlain(key);  // a conversion comes after it
    if (const auto known = m_loaded.find(key); known != m_loaded.end())
        return known->second;
    const Result<LoadedModelPtr> source = loadPlain(base);
    if (!source)
        return source;
    Result<std::string> file = resolveModel(*parsed->adapter, standardModelFolders());
    if (!file)
        return propagate(file);
    Result<LoadedModelPtr> model = adaptModel(*source, *file);
    if (model)
        m_loaded[key] = *model;
    return model;
}

Result<LoadedModelPtr> ModelLoader::load(const std::string &typed)
{
    const Result<Specification> specification = specificationOf(typed);
    if (!specification)
        return propagate(specification);
    if (specification->conversion.empty())
        return loadPlain(specification->path);
    const std::string key = specification->path + "@" + specification->conversion;
    if (specification->isAdapter())
        return loadAdapted(specification->path, key);
    if (const auto known = m_loaded.find(key); known != m_loaded.end())
        return known->second;
    const Result<ConvertOptions> options = parseConversion(specification->conversion);
    if (!options)
        return propagate(options);
    const Result<LoadedModelPtr> source = loadPlain(specification->path);
    if (!source)
        return source;
    Result<LoadedModelPtr> model =
        convertModel(*source, *options, m_environment.stop, m_environment.console.progress());
    m_environment.console.clearProgress();
    if (model)
        m_loaded[key] = *model;
    return model;
}

Result<TokenizerPtr> requireTokenizer(const LoadedModel &model)
{
    if (model.tokenizer())
        return model.tokenizer();
    return fail(ErrorCode::Unsupported, "this model has no tokenizer, so it cannot read text", model.info().path,
                "put tokenizer.json or tokenizer.model beside it, or use --ids");
}

Result<void> checkIds(const ModelInfo &info, std::span<const TokenId> ids)
{
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (ids[i] < 0 || ids[i] >= info.vocabulary)
            return fail(ErrorCode::InvalidArgument, "token " + std::to_string(i) + " is " + std::to_string(ids[i]),
                        info.path, "this model's ids go from 0 to " + std::to_string(info.vocabulary - 1));
    }
    return {};
}

Result<std::string> readTextFile(const std::string &path)
{
    constexpr std::uintmax_t limit = 64u << 20;
    std::error_code error;
    if (!fs::is_regular_file(path, error) && !fs::is_character_file(path, error) && !fs::is_fifo(path, error))
        return fail(isThere(path) ? ErrorCode::Io : ErrorCode::NotFound, "there is no such file", path,
                    "check the path");
    std::ifstream file(path, std::ios::binary);
    std::string text;
    std::string block(1u << 16, '\0');
    while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount() > 0) {
        text.append(block.data(), static_cast<std::size_t>(file.gcount()));
        if (text.size() > limit)
            return fail(ErrorCode::LimitExceeded, "the text is longer than " + bytes(limit), path, "cut it into parts");
    }
    if (!file.eof())
        return fail(ErrorCode::Io, "the file cannot be read", path, "check its permissions");
    return text;
}

} // namespace lens::cli
