// From what the user typed as MODEL to a loaded model.
#pragma once

#include "cli/commandline.h"

#include <map>
#include <string>
#include <vector>

namespace lens::cli {

/// What was typed, in two parts.
struct Specification {
    std::string path;       ///< found on the disk, or as typed
    std::string conversion; ///< after '@': "supra:retnet", or "adapter=FILE"; empty = none

    bool isAdapter() const { return conversion.starts_with("adapter="); }
};

/// Finds the file or folder, by path or by the name of an installed model.
Result<Specification> specificationOf(const std::string &typed);

/// Loads models once each: "a.gguf" and "a.gguf@supra" share their weights.
class ModelLoader {
public:
    explicit ModelLoader(Environment &environment) : m_environment(environment) {}

    Result<LoadedModelPtr> load(const std::string &typed);

private:
    Result<LoadedModelPtr> loadPlain(const std::string &path);
    Result<LoadedModelPtr> loadAdapted(const std::string &base, const std::string &key);

    Environment &m_environment;
    std::map<std::string, LoadedModelPtr> m_loaded;
};

/// The tokenizer of a model, or an error that says it has none.
Result<TokenizerPtr> requireTokenizer(const LoadedModel &model);

/// Rejects ids the vocabulary does not have.
Result<void> checkIds(const ModelInfo &info, std::span<const TokenId> ids);

/// A whole file; ErrorCode::LimitExceeded beyond 64 MiB.
Result<std::string> readTextFile(const std::string &path);

} // namespace lens::cli
