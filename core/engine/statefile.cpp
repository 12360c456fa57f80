#include "engine/statefile.h"

#include "checkpoint/safetensors.h"
#include "checkpoint/writer.h"
#include "tensor/torchbridge.h"

#include <c10/core/GradMode.h>

namespace lens {

namespace {

constexpr std::string_view statePrefix = "state.";

at::Tensor bytesOf(const std::string &text)
{
    return at::tensor(std::vector<std::uint8_t>(text.begin(), text.end()), at::kByte);
}

std::string textOf(const at::Tensor &bytes)
{
    const at::Tensor flat = bytes.to(at::kByte).contiguous();
    const auto *data = reinterpret_cast<const char *>(flat.const_data_ptr<std::uint8_t>());
    return {data, static_cast<std::size_t>(flat.numel())};
}

Result<NamedTensors> readAll(const std::string &file)
{
    auto mapped = MappedFile::open(file);
    if (!mapped)
        return propagate(mapped);
    auto stored = readSafetensors(*mapped);
    if (!stored)
        return propagate(stored);
    NamedTensors tensors;
    for (const StoredTensor &one : *stored) {
        auto tensor = loadStored(one, one.info.dtype);
        if (!tensor)
            return propagate(tensor);
        // The file may change later: the state must not view it.
        tensors.emplace(one.info.name, tensor->clone());
    }
    return tensors;
}

Result<std::vector<TokenId>> idsFrom(const at::Tensor &stored, std::int64_t vocabulary, const std::string &file)
{
    const at::Tensor wide = stored.to(at::kLong).contiguous().reshape({-1});
    const std::int64_t *data = wide.const_data_ptr<std::int64_t>();
    std::vector<TokenId> ids;
    for (std::int64_t i = 0; i < wide.numel(); ++i) {
        if (data[i] < 0 || data[i] >= vocabulary)
            return fail(ErrorCode::Malformed, "token id " + std::to_string(data[i]) + " is outside the vocabulary", file);
        ids.push_back(static_cast<TokenId>(data[i]));
    }
    return ids;
}

Result<Logits> logitsFrom(const NamedTensors &tensors, std::int64_t vocabulary, const std::string &file)
{
    const auto found = tensors.find("logits");
    if (found == tensors.end())
        return Logits();
    const at::Tensor row = found->second.to(at::kFloat).contiguous().reshape({-1});
    if (row.numel() != vocabulary)
        return fail(ErrorCode::Malformed, "the saved logits do not fit the vocabulary", file);
    const float *data = row.const_data_ptr<float>();
    return std::make_shared<const std::vector<float>>(data, data + row.numel());
}

} // namespace

Result<void> saveStateFile(const std::string &file, const SequenceRunner &runner, const ModelInfo &model)
{
    return guarded(file, [&]() -> Result<void> {
        const c10::NoGradGuard noGrad;
        NamedTensors tensors;
        for (const auto &[name, tensor] : runner.state().tensors())
            tensors.emplace(std::string(statePrefix) + name, tensor.to(at::kCPU).contiguous());
        const std::vector<std::int64_t> ids(runner.ids().begin(), runner.ids().end());
        tensors.emplace("ids", at::tensor(ids, at::kLong));
        tensors.emplace("fingerprint", bytesOf(model.fingerprint));
        if (runner.logits())
            tensors.emplace("logits", at::tensor(*runner.logits(), at::kFloat));
        const std::map<std::string, std::string> metadata = {{"format", "supralens-state"},
                                                             {"version", "1"},
                                                             {"fingerprint", model.fingerprint},
                                                             {"model", model.name},
                                                             {"position", std::to_string(ids.size())}};
        return writeSafetensors(file, tensors, metadata);
    });
}

Result<void> restoreStateFile(const std::string &file, SequenceRunner &runner, const ModelInfo &model)
{
    return guarded(file, [&]() -> Result<void> {
        const c10::NoGradGuard noGrad;
        const auto tensors = readAll(file);
        if (!tensors)
            return propagate(tensors);
        const auto fingerprint = tensors->find("fingerprint");
        const auto storedIds = tensors->find("ids");
        if (fingerprint == tensors->end() || storedIds == tensors->end())
            return fail(ErrorCode::Malformed, "this is not a saved state", file, "choose a file that \"save state\" wrote");
        if (textOf(fingerprint->second) != model.fingerprint)
            return fail(ErrorCode::Mismatch, "the state belongs to a model with other weights", file,
                        "open the model with fingerprint " + textOf(fingerprint->second));
        auto ids = idsFrom(storedIds->second, model.vocabulary, file);
        if (!ids)
            return propagate(ids);
        auto logits = logitsFrom(*tensors, model.vocabulary, file);
        if (!logits)
            return propagate(logits);
        NamedTensors state;
        for (const auto &[name, tensor] : *tensors)
            if (name.starts_with(statePrefix))
                state.emplace(name.substr(statePrefix.size()), tensor);
        return runner.assign(std::move(*ids), state, std::move(*logits));
    });
}

} // namespace lens
