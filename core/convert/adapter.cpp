#include "convert/adapter.h"

#include "checkpoint/adapterfile.h"
#include "checkpoint/bytereader.h"
#include "checkpoint/safetensors.h"
#include "convert/adapterlayout.h"
#include "model/configreader.h"
#include "model/decoder.h"
#include "model/weightloader.h"
#include "tensor/torchbridge.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace lens {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kScales = ".scales";
constexpr std::size_t kLongestConfig = 16u << 20;
constexpr const char *kAdvice = "get the adapter again, or train it again";

struct Quantised {
    at::Tensor values;  // int8, the shape of the original
    at::Tensor scales;  // [rows] float32
};

Quantised quantise(const at::Tensor &tensor)
{
    const at::Tensor rows = tensor.reshape({-1, tensor.size(-1)});
    const at::Tensor scales = rows.abs().amax(1).div(127).clamp_min(1e-30);
    return {rows.div(scales.unsqueeze(1)).round().clamp(-127, 127).to(at::kChar).reshape(tensor.sizes()).contiguous(),
            scales.contiguous()};
}

at::Tensor dequantise(const at::Tensor &values, const at::Tensor &scales)
{
    return (values.reshape({-1, values.size(-1)}).to(at::kFloat) * scales.unsqueeze(1)).reshape(values.sizes());
}

/// Stores tensors and keeps track of what that costs.
class Storer {
public:
    explicit Storer(AdapterStorage storage) : m_storage(storage) {}

    void add(const std::string &name, const at::Tensor &given)
    {
        const at::Tensor tensor = given.detach().to(at::kCPU, at::kFloat).contiguous();
        if (m_storage == AdapterStorage::Float16) {
            m_stored[name] = tensor.to(at::kHalf);
            note(tensor, m_stored[name].to(at::kFloat));
        } else if (m_storage == AdapterStorage::Int8 && tensor.dim() > 1) {
            const Quantised quantised = quantise(tensor);
            m_stored[name] = quantised.values;
            m_stored[name + std::string(kScales)] = quantised.scales;
            note(tensor, dequantise(quantised.values, quantised.scales));
        } else {
            m_stored[name] = tensor;
        }
    }

    const NamedTensors &stored() const { return m_stored; }
    double error() const { return m_error; }

private:
    void note(const at::Tensor &exact, const at::Tensor &stored)
    {
        const double largest = exact.numel() > 0 ? exact.abs().max().item<double>() : 0;
        if (largest > 0)
            m_error = std::max(m_error, (stored - exact).abs().max().item<double>() / largest);
    }

    AdapterStorage m_storage;
    NamedTensors m_stored;
    double m_error = 0;
};

Result<void> readConfig(SupraAdapter &adapter, const MappedFile &file)
{
    const std::string where = file.path().string();
    const auto metadata = readSafetensorsMetadata(file);
    if (!metadata)
        return propagate(metadata);
    const auto value = [&](const char *key) {
        const auto found = metadata->find(key);
        return found == metadata->end() ? std::string() : found->second;
    };
    if (value("format") != adapterFormat)
        return fail(ErrorCode::Malformed, "this is not a SUPRA adapter", where, "choose a file that uptraining wrote");
    if (value("version") != "1")
        return fail(ErrorCode::NewerVersion, "the adapter is of version \"" + shortened(value("version")) + "\"", where,
                    "update SUPRA Lens");
    const std::string text = value("config");
    if (text.size() > kLongestConfig)
        return fail(ErrorCode::LimitExceeded, "the adapter's configuration is too long", where, kAdvice);
    const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object() || !json.contains("decoder") || !json["decoder"].is_object())
        return fail(ErrorCode::Malformed, "the adapter's configuration is no JSON object with a decoder", where, kAdvice);
    ConfigReader reader(json, where);
    adapter.baseFingerprint = reader.text("base_fingerprint", "");
    adapter.baseName = reader.text("base_name", "");
    adapter.baseHint = fs::path(reader.text("base_hint", "")).filename().string();
    adapter.loraScale = reader.number("lora_scale", -1e6, 1e6, 1.0);
    if (reader.error())
        return tl::unexpected<Error>(*reader.error());
    auto config = decoderConfigFromJson(json["decoder"], where);
    if (!config)
        return propagate(config);
    adapter.config = std::move(*config);
    return {};
}

/// By name: what is stored.
using StoredByName = std::map<std::string, const StoredTensor *>;

Result<at::Tensor> loadOne(const StoredTensor &stored, const StoredByName &all)
{
    const std::string &name = stored.info.name;
    const std::string where = whereIs(stored.file->path(), shortened(name));
    const DType type = stored.info.dtype;
    if (type == DType::F32 || type == DType::F16) {
        auto tensor = loadStored(stored, DType::F32);
        if (!tensor)
            return propagate(tensor);
        return tensor->clone();  // the file may change later
    }
    const auto scales = all.find(name + std::string(kScales));
    if (type != DType::I8 || stored.info.shape.size() < 2 || scales == all.end() || scales->second->info.dtype != DType::F32)
        return fail(ErrorCode::Malformed, "an adapter's tensors are F32, F16, or I8 matrices with scales", where, kAdvice);
    const auto values = loadStored(stored, DType::I8);
    const auto factors = loadStored(*scales->second, DType::F32);
    if (!values || !factors)
        return values ? propagate(factors) : propagate(values);
    if (values->numel() == 0 || factors->dim() != 1 || factors->numel() != values->numel() / values->size(-1))
        return fail(ErrorCode::Malformed, "there is not one scale for each row", where, kAdvice);
    return dequantise(*values, *factors);
}

bool isScaleOf(const std::string &name, const StoredByName &all)
{
    const auto matrix = name.ends_with(kScales) ? all.find(name.substr(0, name.size() - kScales.size())) : all.end();
    return matrix != all.end() && matrix->second->info.dtype == DType::I8;
}

Result<void> readTensors(SupraAdapter &adapter, const MappedFilePtr &file)
{
    const auto stored = readSafetensors(file);
    if (!stored)
        return propagate(stored);
    StoredByName byName;
    for (const StoredTensor &tensor : *stored)
        byName[tensor.info.name] = &tensor;
    for (const auto &[name, tensor] : byName) {
        if (isScaleOf(name, byName))
            continue;
        auto loaded = loadOne(*tensor, byName);
        if (!loaded)
            return propagate(loaded);
        adapter.tensors[name] = std::move(*loaded);
    }
    return {};
}

Result<void> fits(const DecoderConfig &base, const DecoderConfig &adapted)
{
    const auto mismatch = [](const std::string &what) {
        return fail(ErrorCode::Mismatch, "the adapter is for a model with other " + what, "adapter",
                    "use the base model that it was trained on");
    };
    if (base.vocabulary != adapted.vocabulary || base.hiddenSize != adapted.hiddenSize || base.layers.size() != adapted.layers.size())
        return mismatch("sizes (" + std::to_string(adapted.layers.size()) + " layers of width " + std::to_string(adapted.hiddenSize)
                        + ", here " + std::to_string(base.layers.size()) + " of " + std::to_string(base.hiddenSize) + ")");
    for (std::size_t i = 0; i < base.layers.size(); ++i) {
        const MixerConfig &a = base.layers[i], &b = adapted.layers[i];
        if (a.heads != b.heads || a.kvHeads != b.kvHeads || a.inputDim != b.inputDim || a.valueDim != b.valueDim)
            return mismatch("heads in layer " + std::to_string(i));
        if (a.rope != b.rope)
            return mismatch("position encoding in layer " + std::to_string(i));
    }
    return {};
}

} // namespace

Result<AdapterStorage> parseAdapterStorage(std::string_view text)
{
    if (text == "float32")
        return AdapterStorage::Float32;
    if (text == "float16")
        return AdapterStorage::Float16;
    if (text == "int8")
        return AdapterStorage::Int8;
    return fail(ErrorCode::InvalidArgument, "\"" + std::string(text) + "\" is no storage of adapters", {},
                "use float32, float16 or int8");
}

Result<double> writeAdapter(const fs::path &file, const SupraAdapter &adapter, AdapterStorage storage)
{
    return guarded(file.string(), [&]() -> Result<double> {
        if (auto checked = checkAdapterTensors(adapter, file.string()); !checked)
            return propagate(checked);
        Storer storer(storage);
        for (const auto &[name, tensor] : adapter.tensors)
            storer.add(name, tensor);
        const nlohmann::json config{{"base_fingerprint", adapter.baseFingerprint}, {"base_name", adapter.baseName},
                                    {"base_hint", adapter.baseHint}, {"lora_scale", adapter.loraScale},
                                    {"decoder", toJson(adapter.config)}};
        const auto written = writeSafetensors(file, storer.stored(),
                                              {{"format", adapterFormat}, {"version", "1"}, {"config", config.dump()}});
        if (!written)
            return propagate(written);
        return storer.error();
    });
}

Result<SupraAdapter> readAdapter(const fs::path &file)
{
    return guarded(file.string(), [&]() -> Result<SupraAdapter> {
        const auto mapped = MappedFile::open(file);
        if (!mapped)
            return propagate(mapped);
        SupraAdapter adapter;
        if (auto read = readConfig(adapter, **mapped); !read)
            return propagate(read);
        if (auto read = readTensors(adapter, *mapped); !read)
            return propagate(read);
        if (auto checked = checkAdapterTensors(adapter, file.string()); !checked)
            return propagate(checked);
        return adapter;
    });
}

Result<LanguageModelPtr> applyAdapter(const LanguageModel &base, const SupraAdapter &adapter)
{
    const auto *decoder = dynamic_cast<const Decoder *>(&base);
    if (!decoder)
        return fail(ErrorCode::Unsupported, "adapters belong to Llama, Mistral and open_lm models", "adapter");
    return guarded("adapter", [&]() -> Result<LanguageModelPtr> {
        if (auto fit = fits(decoder->config(), adapter.config); !fit)
            return propagate(fit);
        if (auto checked = checkAdapterTensors(adapter, "adapter"); !checked)
            return propagate(checked);
        DecoderConfig config = decoder->config();
        config.layers = adapter.config.layers;
        config.origin = adapter.config.origin;
        config.untrained = adapter.config.untrained;
        auto adapted = Decoder::create(std::move(config), adaptedWeights(*decoder, adapter), "adapter", WeightCheck::Full,
                                       decoder->quantised());
        if (!adapted)
            return propagate(adapted);
        return LanguageModelPtr(*adapted);
    });
}

} // namespace lens
