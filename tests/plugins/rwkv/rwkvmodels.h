// RWKV checkpoints for tests: the fixtures, and variations of them written to a folder.
#pragma once

#include "checkpoint/checkpoint.h"
#include "checkpoint/writer.h"
#include "engine/engine.h"
#include "mixer/sequencestate.h"
#include "model/languagemodel.h"

#include <QtTest>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace lens::test {

inline std::string fixturePath(const std::string &name)
{
    return (std::filesystem::path(SUPRALENS_TEST_DATA) / "models" / name).string();
}

inline LoadOptions pluginOptions(const std::string &dtype = "float32", const std::string &device = "cpu")
{
    LoadOptions options;
    options.device = device;
    options.dtype = dtype;
    options.pluginFolders = {SUPRALENS_TEST_PLUGINS};
    return options;
}

inline LoadedModelPtr loadRwkv(const std::string &path, const std::string &dtype = "float32", const std::string &device = "cpu")
{
    auto model = loadModel(path, pluginOptions(dtype, device));
    if (!model)
        qFatal("%s", toString(model.error()).c_str());
    return *model;
}

/// A checkpoint in memory, to be changed and written.
struct Draft {
    nlohmann::json config = nlohmann::json::object();
    NamedTensors tensors;

    explicit Draft(const std::string &path)
    {
        const auto checkpoint = openCheckpoint(path);
        if (!checkpoint)
            qFatal("%s", toString(checkpoint.error()).c_str());
        config = (*checkpoint)->config();
        for (const TensorInfo &info : (*checkpoint)->tensors())
            tensors[info.name] = (*checkpoint)->load(info.name, DType::F32)->clone();
    }

    void rename(const std::function<std::string(std::string)> &change)
    {
        NamedTensors renamed;
        for (const auto &[name, tensor] : tensors)
            renamed[change(name)] = tensor;
        tensors = std::move(renamed);
    }

    void write(const std::filesystem::path &folder) const
    {
        std::filesystem::create_directories(folder);
        if (!writeSafetensors(folder / "model.safetensors", tensors)
            || !writeFileAtomically(folder / "config.json", config.dump()))
            qFatal("%s cannot be written", folder.c_str());
    }
};

inline std::string replaced(std::string text, const std::string &from, const std::string &to)
{
    const std::size_t at = text.find(from);
    return at == text.npos ? text : text.replace(at, from.size(), to);
}

/// The spelling of Hugging Face's RWKV-5 folders for the .pth fixture.
inline Draft huggingFaceRwkv5()
{
    Draft draft(fixturePath("rwkv5"));
    draft.rename([](std::string name) {
        if (name == "emb.weight")
            return std::string("rwkv.embeddings.weight");
        if (name == "head.weight")
            return name;
        name = replaced(replaced(replaced("rwkv." + name, ".att.", ".attention."), ".ffn.", ".feed_forward."), "ln0", "pre_ln");
        const std::size_t mix = name.rfind("time_mix_");
        if (mix == name.npos)
            return name;
        const char kind = name.back();
        return name.substr(0, mix + 9) + (kind == 'k' ? "key" : kind == 'v' ? "value" : kind == 'r' ? "receptance" : "gate");
    });
    draft.config = {{"model_type", "rwkv5"}, {"vocab_size", 96}, {"hidden_size", 64}, {"attention_hidden_size", 64},
                    {"head_size", 32}, {"num_hidden_layers", 2}, {"intermediate_size", nullptr}, {"rescale_every", 6},
                    {"layer_norm_epsilon", 1e-5}, {"tie_word_embeddings", false}};
    return draft;
}

} // namespace lens::test
