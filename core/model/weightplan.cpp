#include "model/weightplan.h"

#include "model/decoder.h"
#include "tensor/torchbridge.h"

namespace lens {

namespace {

DType storedAs(at::ScalarType type)
{
    return type == at::kBFloat16 ? DType::BF16 : type == at::kHalf ? DType::F16 : DType::F32;
}

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
        const at::Device device = toTorch(options.device);
        const DType type = storedAs(toTorch(options.type, options.device));
        NamedTensors loaded, weights;
        Progress progress{"reading weights", 0, 0};
        for (const auto &[name, source] : plan.weights)
            if (const TensorInfo *info = checkpoint.find(source.stored))
                progress.total += info->bytes;
        for (const auto &[name, source] : plan.weights) {
            if (options.stop.stop_requested())
                return fail(ErrorCode::Cancelled, "loading was cancelled", where);
            if (!loaded.contains(source.stored)) {
                const TensorInfo *info = checkpoint.find(source.stored);
                if (!info)
                    return fail(ErrorCode::Mismatch, "the tensor is missing", where + ", " + source.stored,
                                "the file is incomplete, or its configuration belongs to another model");
                auto tensor = checkpoint.load(source.stored, type);
                if (!tensor)
                    return propagate(tensor);
                loaded.emplace(source.stored, tensor->to(device));
                progress.done += info->bytes;
                if (options.progress)
                    options.progress(progress);
            }
            auto rows = rowsOf(loaded.at(source.stored), source, where);
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
