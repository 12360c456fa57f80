#include "model/weightloader.h"

#include "tensor/torchbridge.h"

#include <cmath>
#include <set>

namespace lens {

namespace {

constexpr std::uint64_t kSmall = 1 << 16;  // bytes: of a tensor that is copied, since as a view it keeps whole pages in memory

DType storedAs(at::ScalarType type)
{
    return type == at::kBFloat16 ? DType::BF16 : type == at::kHalf ? DType::F16 : DType::F32;
}

std::string text(const std::vector<std::int64_t> &shape)
{
    std::string joined;
    for (const std::int64_t size : shape)
        joined += (joined.empty() ? "" : "x") + std::to_string(size);
    return "[" + joined + "]";
}

tl::unexpected<Error> missing(const std::string &where)
{
    return fail(ErrorCode::Mismatch, "the tensor is missing", where,
                "the file is incomplete, or its configuration belongs to another model");
}

} // namespace

Result<void> checkShape(const std::vector<std::int64_t> &is, const std::vector<std::int64_t> &wanted, const std::string &where)
{
    if (is == wanted)
        return {};
    return fail(ErrorCode::Mismatch, "the tensor is " + text(is) + " where the configuration says " + text(wanted), where,
                "the configuration belongs to another model");
}

Result<void> checkFinite(const at::Tensor &tensor, const std::string &where)
{
    if (tensor.is_meta())
        return {};
    const at::ScalarType wide = tensor.device().is_cpu() ? at::kDouble : at::kFloat;
    if (std::isfinite(tensor.sum(wide).item<double>()))
        return {};
    return fail(ErrorCode::Malformed, "the tensor holds NaN or infinity", where,
                "the file is damaged or its training diverged");
}

Result<void> checkHeaders(const Checkpoint &checkpoint, const WantedTensors &wanted)
{
    for (const auto &[name, tensor] : wanted) {
        const std::string where = checkpoint.path().string() + ", " + tensor.stored;
        const TensorInfo *info = checkpoint.find(tensor.stored);
        if (!info)
            return missing(where);
        if (auto fits = checkShape(info->shape, tensor.shape, where); !fits)
            return fits;
    }
    return {};
}

WeightLoader::WeightLoader(const Checkpoint &checkpoint, const BuildOptions &options, std::uint64_t totalBytes)
    : m_checkpoint(checkpoint), m_options(options), m_device(toTorch(options.device)),
      m_type(storedAs(toTorch(options.type, options.device))), m_progress{"reading weights", 0, totalBytes}
{
    if (m_device.is_cuda())
        m_upload.emplace(m_device);
}

Result<at::Tensor> WeightLoader::load(const std::string &stored, bool keepFloat32)
{
    if (m_options.stop.stop_requested())
        return fail(ErrorCode::Cancelled, "loading was cancelled", m_checkpoint.path().string());
    const std::pair key(stored, keepFloat32 || m_type == DType::F32);
    if (const auto found = m_loaded.find(key); found != m_loaded.end())
        return found->second;
    const std::string where = m_checkpoint.path().string() + ", " + stored;
    const TensorInfo *info = m_checkpoint.find(stored);
    if (!info)
        return missing(where);
    auto tensor = m_checkpoint.load(stored, key.second ? DType::F32 : m_type);
    if (!tensor)
        return tensor;
    count(*info);
    at::Tensor loaded = onDevice(*tensor);
    if (info->bytes <= kSmall && loaded.is_cpu()) {
        loaded = loaded.clone();
        m_checkpoint.release(stored);
    }
    return m_loaded.emplace(key, loaded).first->second;
}

Result<std::optional<QuantisedWeight>> WeightLoader::loadQuantised(const std::string &stored)
{
    const TensorInfo *info = m_checkpoint.find(stored);
    const std::optional<DType> wanted = blocksOf(m_options.type);
    if (!info || info->shape.size() != 2 || !m_device.is_cpu() || (m_options.type != ComputeType::Auto && !wanted))
        return std::optional<QuantisedWeight>();
    if (m_options.stop.stop_requested())
        return fail(ErrorCode::Cancelled, "loading was cancelled", m_checkpoint.path().string());
    if (!isQuantised(info->dtype))
        return wanted && info->shape[1] % blockLayout(*wanted).elements == 0 ? round(*info, stored, *wanted)
                                                                             : std::optional<QuantisedWeight>();
    const auto blocks = m_checkpoint.load(stored, info->dtype);
    if (!blocks)
        return propagate(blocks);
    count(*info);
    return QuantisedWeight::from(*blocks, info->dtype);
}

Result<std::optional<QuantisedWeight>> WeightLoader::round(const TensorInfo &info, const std::string &stored, DType blocks)
{
    if (const auto found = m_rounded.find(stored); found != m_rounded.end())
        return std::optional(found->second);
    const auto values = m_checkpoint.load(stored, DType::F32);
    if (!values)
        return propagate(values);
    if (auto finite = checkFinite(*values, m_checkpoint.path().string() + ", " + stored); !finite)
        return propagate(finite);
    count(info);
    return std::optional(m_rounded.emplace(stored, QuantisedWeight::rounded(*values, blocks)).first->second);
}

at::Tensor WeightLoader::onDevice(const at::Tensor &tensor)
{
    return m_upload ? m_upload->send(tensor) : tensor.to(m_device);
}

void WeightLoader::count(const TensorInfo &info)
{
    m_progress.done += info.bytes;
    if (m_options.progress)
        m_options.progress(m_progress);
}

Result<NamedTensors> loadWeights(const Checkpoint &checkpoint, const WantedTensors &wanted, const BuildOptions &options)
{
    if (auto complete = checkHeaders(checkpoint, wanted); !complete)
        return propagate(complete);
    std::uint64_t total = 0;
    std::set<std::string> counted;
    for (const auto &[name, tensor] : wanted)
        if (counted.insert(tensor.stored).second)
            total += checkpoint.find(tensor.stored)->bytes;
    WeightLoader loader(checkpoint, options, total);
    NamedTensors weights;
    for (const auto &[name, tensor] : wanted) {
        auto loaded = loader.load(tensor.stored, tensor.keepFloat32);
        if (!loaded)
            return propagate(loaded);
        if (auto finite = checkFinite(*loaded, checkpoint.path().string() + ", " + tensor.stored); !finite)
            return propagate(finite);
        weights.emplace(name, std::move(*loaded));
    }
    return weights;
}

} // namespace lens
