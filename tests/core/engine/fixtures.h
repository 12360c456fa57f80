// Reading golden values, and finding models that are too large for the repository.
#pragma once

#include "checkpoint/safetensors.h"
#include "engine/engine.h"
#include "engine/modelfolders.h"
#include "text/tokenizer.h"

#include <QtTest>

#include <filesystem>
#include <map>
#include <ATen/ATen.h>

namespace fixtures {

using Tensors = std::map<std::string, at::Tensor>;

inline Tensors read(const std::string &file)
{
    Tensors tensors;
    const auto mapped = lens::MappedFile::open(file);
    const auto stored = mapped ? lens::readSafetensors(*mapped) : lens::Result<std::vector<lens::StoredTensor>>();
    if (!mapped || !stored) {
        qWarning("%s cannot be read", file.c_str());
        return tensors;
    }
    for (const lens::StoredTensor &one : *stored)
        tensors.emplace(one.info.name, *lens::loadStored(one, one.info.dtype));
    return tensors;
}

inline std::vector<lens::TokenId> ids(const at::Tensor &tensor)
{
    const at::Tensor wide = tensor.to(at::kLong).contiguous();
    const auto *data = wide.const_data_ptr<std::int64_t>();
    return {data, data + wide.numel()};
}

inline std::string data(const std::string &path)
{
    return (std::filesystem::path(SUPRALENS_TEST_DATA) / path).string();
}

inline lens::LoadOptions onCpu()
{
    lens::LoadOptions options;
    options.device = "cpu";
    options.dtype = "float32";
    return options;
}

/// Ends the test program when there is no such model.
inline lens::LoadedModelPtr load(const std::string &specification)
{
    const auto model = lens::loadModel(specification, onCpu());
    if (!model)
        qFatal("%s", toString(model.error()).c_str());
    return *model;
}

/// Path of SmolLM2-135M-Instruct, or "" when it is not there.
inline std::string smolLm2()
{
    const auto path = lens::resolveModel("smollm2", lens::standardModelFolders());
    return path ? *path : std::string();
}

} // namespace fixtures
