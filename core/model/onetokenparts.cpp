#include "model/onetokenparts.h"

#include "kernels/onetoken.h"
#include "kernels/rmsnorm.h"
#include "kernels/rotation.h"
#include "tensor/kernelbridge.h"

#include <algorithm>
#include <array>

namespace lens {

namespace {

constexpr std::int64_t kWeightsPerPart = 1 << 16;  // some microseconds of work
constexpr std::int64_t kMostParts = 64;

at::Tensor find(const NamedTensors &weights, const std::string &name)
{
    const auto found = weights.find(name);
    return found == weights.end() ? at::Tensor() : found->second;
}

const kernels::BlockMatrix *panelsIn(const kernels::Matrix &matrix)
{
    const auto *blocks = std::get_if<kernels::BlockMatrix>(&matrix);
    return blocks && blocks->panelRows > 0 ? blocks : nullptr;
}

} // namespace

kernels::Matrix OneTokenWeights::matrix(const std::string &name) const
{
    if (const auto quantised = m_quantised.find(name); quantised != m_quantised.end())
        return quantised->second.matrix();
    const at::Tensor weight = find(m_weights, name);
    if (!weight.defined())
        return {};
    if (weight.scalar_type() == at::kFloat)
        return kernels::DenseMatrix<float>{numbers<const float>(weight), weight.size(-1)};
    return kernels::DenseMatrix<kernels::BFloat16>{numbers<const kernels::BFloat16>(weight), weight.size(-1)};
}

std::int64_t OneTokenWeights::rows(const std::string &name) const
{
    if (const auto quantised = m_quantised.find(name); quantised != m_quantised.end())
        return quantised->second.rows();
    const at::Tensor weight = find(m_weights, name);
    return weight.defined() ? weight.size(0) : 0;
}

Numbers OneTokenWeights::copy(const std::string &name) const
{
    const at::Tensor weight = find(m_weights, name);
    if (!weight.defined())
        return {};
    const at::Tensor wide = weight.to(at::kFloat).contiguous();
    return {wide.const_data_ptr<float>(), wide.const_data_ptr<float>() + wide.numel()};
}

OneTokenProjection::OneTokenProjection(const OneTokenWeights &weights, const std::string &name)
    : m_matrix(weights.matrix(name + ".weight")), m_lowRankA(weights.matrix(name + ".lora_a")),
      m_lowRankB(weights.matrix(name + ".lora_b")), m_low(static_cast<std::size_t>(weights.rows(name + ".lora_a"))),
      m_rows(weights.rows(name + ".weight")), m_together(panelsIn(m_matrix) ? kernels::kPanelRows : 1),
      m_bias(weights.copy(name + ".bias"))
{
    const std::int64_t columns = std::visit([](const auto &matrix) { return matrix.columns; }, m_matrix);
    m_parts = std::min({(m_rows * columns + kWeightsPerPart - 1) / kWeightsPerPart, m_rows / m_together, kMostParts});
}

/// Parts are much the same, so that threads are done at the same time. With the last go the rows behind the last panel.
std::int64_t OneTokenProjection::firstRow(std::int64_t part) const
{
    return part == m_parts ? m_rows : m_rows * part / m_parts / m_together * m_together;
}

bool OneTokenProjection::takesInputOf(const OneTokenProjection &other) const
{
    const auto *own = panelsIn(m_matrix), *others = panelsIn(other.m_matrix);
    return own && others ? own->format == others->format && own->columns == others->columns : !own && !others;
}

void OneTokenProjection::prepare(const float *x, const OneTokenProjection *same) const
{
    if (same && takesInputOf(*same)) {
        m_input = same->m_input;
    } else {
        const auto *panels = panelsIn(m_matrix);
        m_ownInput.assign(panels ? *panels : kernels::BlockMatrix(), x);
        m_input = &m_ownInput;
    }
    if (!m_low.empty())
        kernels::product(m_lowRankA, 0, static_cast<std::int64_t>(m_low.size()), x, m_low.data());
}

void OneTokenProjection::addChange(std::int64_t first, std::int64_t count, float *y) const
{
    std::array<float, 64> change;
    constexpr auto kMost = static_cast<std::int64_t>(change.size());
    for (std::int64_t done = 0; done < count; done += kMost) {
        const std::int64_t rows = std::min(kMost, count - done);
        kernels::product(m_lowRankB, first + done, rows, m_low.data(), change.data());
        for (std::int64_t i = 0; i < rows; ++i)
            y[first + done + i] += change[static_cast<std::size_t>(i)];
    }
}

/// What is added to W x.
void OneTokenProjection::addToRows(std::int64_t first, std::int64_t count, float *y) const
{
    if (!m_low.empty())
        addChange(first, count, y);
    for (std::int64_t i = first; i < first + count && !m_bias.empty(); ++i)
        y[i] += m_bias[static_cast<std::size_t>(i)];
}

void OneTokenProjection::apply(std::int64_t part, float *y) const
{
    const std::int64_t first = firstRow(part), count = firstRow(part + 1) - first;
    kernels::product(m_matrix, first, count, *m_input, y + first);
    addToRows(first, count, y);
}

void runProjections(ThreadTeam &team, std::span<const ProjectionJob> jobs)
{
    std::int64_t parts = 0;
    const ProjectionJob *before = nullptr;
    for (const ProjectionJob &job : jobs) {
        job.projection->prepare(job.x, before && before->x == job.x ? before->projection : nullptr);
        parts += job.projection->parts();
        before = &job;
    }
    team.run(parts, [&](std::int64_t part) {
        for (const ProjectionJob &job : jobs) {
            if (part < job.projection->parts())
                return job.projection->apply(part, job.y);
            part -= job.projection->parts();
        }
    });
}

OneTokenNorm::OneTokenNorm(const OneTokenWeights &weights, const std::string &name, const NormConfig &config)
    : m_config(config), m_weight(weights.copy(name + ".weight")), m_bias(weights.copy(name + ".bias"))
{
}

void OneTokenNorm::apply(std::int64_t n, const float *x, float *y) const
{
    const auto epsilon = static_cast<float>(m_config.epsilon);
    const float *weight = m_weight.empty() ? nullptr : m_weight.data();
    if (m_config.kind == NormConfig::Kind::Rms) {
        kernels::rmsNorm(1, n, x, weight, epsilon, y);
    } else {
        if (y != x)
            std::copy(x, x + n, y);
        kernels::centre(n, epsilon, y);
        for (std::int64_t i = 0; i < n && weight; ++i)
            y[i] *= weight[i];
    }
    for (std::int64_t i = 0; i < n && !m_bias.empty(); ++i)
        y[i] += m_bias[static_cast<std::size_t>(i)];
}

OneTokenRotation::OneTokenRotation(const RopeConfig &config)
    : m_config(config), m_rope(config, at::kCPU)
{
    if (config.layout == RopeConfig::Layout::None)
        return;
    const std::int64_t pairs = config.dimensions / 2;
    m_basis = at::zeros({1, 1, 1, config.dimensions});
    if (config.layout == RopeConfig::Layout::HalfSplit)
        m_basis.narrow(3, 0, pairs).fill_(1);
    else
        m_basis.slice(3, 0, config.dimensions, 2).fill_(1);
    m_cosine.resize(static_cast<std::size_t>(pairs));
    m_sine.resize(static_cast<std::size_t>(pairs));
}

void OneTokenRotation::moveTo(std::int64_t position)
{
    if (m_cosine.empty() || position == m_position)
        return;
    const at::Tensor turned = m_rope.apply(m_basis, position).contiguous();
    const float *numbers = turned.const_data_ptr<float>();
    const auto pairs = static_cast<std::int64_t>(m_cosine.size());
    const bool interleaved = m_config.layout == RopeConfig::Layout::Interleaved;
    for (std::int64_t i = 0; i < pairs; ++i) {
        m_cosine[static_cast<std::size_t>(i)] = numbers[interleaved ? 2 * i : i];
        m_sine[static_cast<std::size_t>(i)] = numbers[interleaved ? 2 * i + 1 : i + pairs];
    }
    m_position = position;
}

void OneTokenRotation::apply(std::int64_t heads, std::int64_t width, float *x, Numbers &scratch) const
{
    if (m_cosine.empty())
        return;
    scratch.resize(static_cast<std::size_t>(heads * width));
    const kernels::RotationShape shape{1, heads, width, heads * width, width, static_cast<std::int64_t>(m_cosine.size()),
                                       m_config.layout == RopeConfig::Layout::Interleaved};
    kernels::rotate(shape, x, m_cosine.data(), m_sine.data(), scratch.data());
    std::copy(scratch.begin(), scratch.end(), x);
}

} // namespace lens
