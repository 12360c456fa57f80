#include "uptrain/recipepaths.h"

#include "engine/specification.h"

#include <filesystem>

namespace lens {

namespace {

namespace fs = std::filesystem;

std::string absolutePath(const std::string &path)
{
    std::error_code error;
    const fs::path absolute = fs::absolute(path, error);
    return path.empty() || error ? path : absolute.lexically_normal().string();
}

bool isThere(const std::string &path)
{
    std::error_code error;
    return fs::exists(path, error);
}

std::string absoluteSpecification(const std::string &text)
{
    const auto parsed = parseSpecification(text);
    if (!parsed || (!parsed->conversion && !parsed->adapter))
        return isThere(text) ? absolutePath(text) : text;
    const std::string model = absoluteSpecification(parsed->model);
    if (parsed->adapter)
        return model + "@adapter=" + (isThere(*parsed->adapter) ? absolutePath(*parsed->adapter) : *parsed->adapter);
    return model + text.substr(parsed->model.size());
}

} // namespace

Recipe withAbsolutePaths(Recipe recipe)
{
    for (std::string *specification : {&recipe.model, &recipe.original, &recipe.scratch})
        *specification = absoluteSpecification(*specification);
    for (std::string *path : {&recipe.tokenizer, &recipe.data.cacheFolder, &recipe.out})
        *path = absolutePath(*path);
    for (std::string &file : recipe.data.files)
        file = absolutePath(file);
    return recipe;
}

} // namespace lens
