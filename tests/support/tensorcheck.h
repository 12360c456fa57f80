// Comparing tensors and reading golden values.
#pragma once

#include "checkpoint/safetensors.h"

#include <QtTest>
#include <map>
#include <ATen/ATen.h>

namespace lens::test {

inline double largest(const at::Tensor &x)
{
    return x.numel() == 0 ? 0.0 : x.abs().max().item<double>();
}

/// Largest |a - b| relative to the largest |b|; infinite when shapes differ or anything is not finite.
inline double relativeError(const at::Tensor &a, const at::Tensor &b)
{
    if (a.sizes() != b.sizes() || !at::isfinite(a).all().item<bool>())
        return std::numeric_limits<double>::infinity();
    return largest(a.to(at::kDouble) - b.to(at::kDouble)) / std::max(largest(b), 1e-30);
}

/// Largest |a - b| relative to max(b) - min(b).
inline double errorOfRange(const at::Tensor &a, const at::Tensor &b)
{
    if (a.sizes() != b.sizes() || !at::isfinite(a).all().item<bool>())
        return std::numeric_limits<double>::infinity();
    return largest(a - b) / (b.max() - b.min()).item<double>();
}

/// Tensors of a golden.safetensors file.
class Golden {
public:
    explicit Golden(const QString &file)
    {
        const auto mapped = MappedFile::open(file.toStdString());
        if (!mapped)
            return;
        if (const auto tensors = readSafetensors(*mapped))
            for (const StoredTensor &tensor : *tensors)
                m_tensors.emplace(tensor.info.name, tensor);
    }

    bool isOpen() const { return !m_tensors.empty(); }
    bool contains(const std::string &name) const { return m_tensors.contains(name); }

    at::Tensor operator()(const std::string &name) const
    {
        const StoredTensor &stored = m_tensors.at(name);
        return loadStored(stored, stored.info.dtype).value();
    }

private:
    std::map<std::string, StoredTensor> m_tensors;
};

} // namespace lens::test
