#include "engine/selfcheck.h"

#include "checkpoint/writer.h"
#include "engine/engine.h"
#include "model/languagemodel.h"
#include "tensor/torchbridge.h"

#include <c10/core/GradMode.h>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace lens {

namespace {

constexpr std::int64_t layers = 2, width = 48, heads = 6, kvHeads = 3, headSize = 8, feedForward = 64, vocabulary = 61;
constexpr double tolerance = 1e-4;

Result<void> writeModel(const std::string &folder)
{
    return guarded(folder, [&]() -> Result<void> {
        at::Generator random = at::make_generator<at::CPUGeneratorImpl>(std::uint64_t{20});
        const auto weight = [&](std::int64_t rows, std::int64_t columns) {
            return at::randn({rows, columns}, random, at::kFloat) / std::sqrt(static_cast<double>(columns));
        };
        NamedTensors tensors = {{"model.embed_tokens.weight", at::randn({vocabulary, width}, random, at::kFloat)},
                                {"model.norm.weight", at::ones({width})},
                                {"lm_head.weight", weight(vocabulary, width)}};
        for (std::int64_t layer = 0; layer < layers; ++layer) {
            const std::string prefix = "model.layers." + std::to_string(layer) + ".";
            tensors[prefix + "input_layernorm.weight"] = at::ones({width});
            tensors[prefix + "post_attention_layernorm.weight"] = at::ones({width});
            tensors[prefix + "self_attn.q_proj.weight"] = weight(heads * headSize, width);
            tensors[prefix + "self_attn.k_proj.weight"] = weight(kvHeads * headSize, width);
            tensors[prefix + "self_attn.v_proj.weight"] = weight(kvHeads * headSize, width);
            tensors[prefix + "self_attn.o_proj.weight"] = weight(width, heads * headSize);
            tensors[prefix + "mlp.gate_proj.weight"] = weight(feedForward, width);
            tensors[prefix + "mlp.up_proj.weight"] = weight(feedForward, width);
            tensors[prefix + "mlp.down_proj.weight"] = weight(width, feedForward);
        }
        const nlohmann::json config = {{"architectures", {"LlamaForCausalLM"}},
                                       {"model_type", "llama"},
                                       {"hidden_size", width},
                                       {"num_hidden_layers", layers},
                                       {"num_attention_heads", heads},
                                       {"num_key_value_heads", kvHeads},
                                       {"head_dim", headSize},
                                       {"intermediate_size", feedForward},
                                       {"vocab_size", vocabulary},
                                       {"max_position_embeddings", 256},
                                       {"rms_norm_eps", 1e-5},
                                       {"rope_theta", 10000.0},
                                       {"hidden_act", "silu"},
                                       {"tie_word_embeddings", false},
                                       {"torch_dtype", "float32"}};
        const std::filesystem::path place = folder;
        if (Result<void> written = writeFileAtomically(place / "config.json", config.dump(1)); !written)
            return written;
        return writeSafetensors(place / "model.safetensors", tensors);
    });
}

at::Tensor logitsOf(const LanguageModel &model, const at::Tensor &tokens, Execution execution)
{
    ModelState state = model.initialState(tokens.size(0));
    ForwardOptions options;
    options.execution = execution;
    return model.forward(tokens, state, options);
}

Result<FormCheck> check(const LoadedModel &loaded, const std::string &name)
{
    return guarded(name, [&]() -> Result<FormCheck> {
        const c10::NoGradGuard noGrad;
        const LanguageModel &model = *loaded.model();
        const at::Tensor tokens = (at::arange(2 * 37, at::kLong) * 7 % vocabulary).view({2, 37}).to(model.device());
        const at::Tensor reference = logitsOf(model, tokens, {Execution::Form::Parallel, 64});
        const double range = (reference.max() - reference.min()).item<double>();
        FormCheck result{name, 0, false};
        for (const Execution execution :
             {Execution{Execution::Form::Chunked, 5}, Execution{Execution::Form::Recurrent, 1}}) {
            const at::Tensor other = logitsOf(model, tokens, execution);
            result.difference = std::max(result.difference, (other - reference).abs().max().item<double>() / range);
        }
        // Written so that NaN fails.
        result.passed = result.difference <= tolerance && reference.isfinite().all().item<bool>();
        return result;
    });
}

} // namespace

Result<std::vector<FormCheck>> checkForms(const std::string &folder, std::stop_token stop)
{
    if (const Result<void> written = writeModel(folder); !written)
        return propagate(written);
    LoadOptions options;
    options.device = "cpu";
    options.dtype = "float32";
    const Result<LoadedModelPtr> source = loadModel(folder, options, stop);
    if (!source)
        return propagate(source);
    std::vector<FormCheck> checks;
    for (const char *conversion : {"", "supra", "supra:retnet", "supra:none", "t2r", "linear"}) {
        LoadedModelPtr model = *source;
        if (*conversion) {
            const Result<ConvertOptions> options = parseConversion(conversion);
            if (!options)
                return propagate(options);
            const Result<LoadedModelPtr> converted = convertModel(*source, *options, stop);
            if (!converted)
                return propagate(converted);
            model = *converted;
        }
        const Result<FormCheck> result = check(*model, *conversion ? conversion : "softmax");
        if (!result)
            return propagate(result);
        checks.push_back(*result);
    }
    return checks;
}

} // namespace lens
