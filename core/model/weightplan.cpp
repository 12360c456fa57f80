#include "model/weightplan.h"

#include "model/decoder.h"
#include "model/weightloader.h"
#include "tensor/torchbridge.h"

#include <set>

namespace lens {

namespace {

Result<void> checkRows(std::int64_t rows, const WeightSource &source, const std::string &where)
{
    if (source.rows >= 0 && source.firstRow + source.rows > rows)
        return fail(ErrorCode::Mismatch, "the fused tensor has too few rows for the configuration", where + ", " + source.stored);
    return {};
}

at::Tensor rowsOf(const at::Tensor &whole, const WeightSource &source)
{
    return source.rows < 0 ? whole : whole.narrow(0, source.firstRow, source.rows);
}

QuantisedWeight rowsOf(const QuantisedWeight &whole, const WeightSource &source)
{
    return source.rows < 0 ? whole : whole.narrow(source.firstRow, source.rows);
}

} // namespace

Result<LanguageModelPtr> buildDecoder(const Checkpoint &checkpoint, const DecoderPlan &plan, const BuildOptions &options)
{
    const std::string where = checkpoint.path().string();
    return guarded(where, [&]() -> Result<LanguageModelPtr> {
        std::uint64_t total = 0;
        std::set<std::string> counted;
        for (const auto &[name, source] : plan.weights)
            if (const TensorInfo *info = checkpoint.find(source.stored); info && counted.insert(source.stored).second)
                total += info->bytes;
        WeightLoader loader(checkpoint, options, total);
        NamedTensors weights;
        QuantisedWeights quantised;
        for (const auto &[name, source] : plan.weights) {
            const bool isFeatureMap = name.find(".feature_map") != std::string::npos;  // small, and read as numbers
            const auto matrix = isFeatureMap ? Result<std::optional<QuantisedWeight>>() : loader.loadQuantised(source.stored);
            if (!matrix)
                return propagate(matrix);
            const auto tensor = *matrix ? Result<at::Tensor>(at::Tensor()) : loader.load(source.stored);
            if (!tensor)
                return propagate(tensor);
            const std::int64_t rows = *matrix ? (*matrix)->rows() : tensor->dim() > 0 ? tensor->size(0) : 0;
            if (auto enough = checkRows(rows, source, where); !enough)
                return propagate(enough);
            if (*matrix) {
                const QuantisedWeight &packed = quantised.emplace(name, rowsOf(**matrix, source).packed()).first->second;
                if (packed.matrix().panelRows > 0)
                    checkpoint.release(source.stored);
            } else {
                weights.emplace(name, rowsOf(*tensor, source));
            }
        }
        auto decoder = Decoder::create(plan.config, std::move(weights), where, WeightCheck::Full, std::move(quantised));
        if (!decoder)
            return propagate(decoder);
        return LanguageModelPtr(*decoder);
    });
}

ModelInfo inspectPlan(const Checkpoint &checkpoint, const DecoderPlan &plan)
{
    ModelInfo info = describe(plan.config, 4);
    info.format = std::string(name(checkpoint.format()));
    return info;
}

} // namespace lens
