#include "model/weightplan.h"

#include "model/decoder.h"
#include "model/weightloader.h"
#include "tensor/torchbridge.h"

#include <set>

namespace lens {

namespace {

Result<at::Tensor> rowsOf(const at::Tensor &whole, const WeightSource &source, const std::string &where)
{
    if (source.rows < 0)
        return whole;
    if (whole.dim() == 0 || source.firstRow + source.rows > whole.size(0))
        return fail(ErrorCode::Mismatch, "the fused tensor has too few rows for the configuration", where + ", " + source.stored);
    return whole.narrow(0, source.firstRow, source.rows);
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
        for (const auto &[name, source] : plan.weights) {
            const auto tensor = loader.load(source.stored);
            if (!tensor)
                return propagate(tensor);
            auto rows = rowsOf(*tensor, source, where);
            if (!rows)
                return propagate(rows);
            weights.emplace(name, *rows);
        }
        auto decoder = Decoder::create(plan.config, std::move(weights), where);
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
