// The parts of a decoder as one token on the CPU meets them: float32 activations, weights where the decoder has them.
#pragma once

#include "base/threadteam.h"
#include "kernels/matrix.h"
#include "mixer/layers.h"
#include "mixer/rope.h"
#include "mixer/sequencestate.h"

#include <span>
#include <vector>

namespace lens {

using Numbers = std::vector<float>;

/// The weights of a decoder, by name. They must outlive what is made from them.
class OneTokenWeights {
public:
    OneTokenWeights(const NamedTensors &weights, const QuantisedWeights &quantised) : m_weights(weights), m_quantised(quantised) {}

    /// Of float32, bfloat16 or quantised blocks, on the CPU, dense; an empty matrix where there is none.
    kernels::Matrix matrix(const std::string &name) const;
    std::int64_t rows(const std::string &name) const;  ///< 0 where there is none

    /// A small weight as float32; empty where there is none.
    Numbers copy(const std::string &name) const;

private:
    const NamedTensors &m_weights;
    const QuantisedWeights &m_quantised;
};

/// y = W x + B A x + b.
class OneTokenProjection {
public:
    OneTokenProjection() = default;
    OneTokenProjection(const OneTokenWeights &weights, const std::string &name);

    std::int64_t rows() const { return m_rows; }

    /// What apply() needs of x, which must stay: before each round. `same` is null or another that was prepared for x.
    void prepare(const float *x, const OneTokenProjection *same) const;

    /// The pieces of work that apply() does one of: its rows of y [rows].
    std::int64_t parts() const { return m_parts; }
    void apply(std::int64_t part, float *y) const;

private:
    std::int64_t firstRow(std::int64_t part) const;
    bool takesInputOf(const OneTokenProjection &other) const;
    void addToRows(std::int64_t first, std::int64_t count, float *y) const;
    void addChange(std::int64_t first, std::int64_t count, float *y) const;

    kernels::Matrix m_matrix, m_lowRankA, m_lowRankB;
    mutable kernels::BlockInput m_ownInput;
    mutable const kernels::BlockInput *m_input = nullptr;  // that of this round: its own, or another projection's
    mutable Numbers m_low;  // A x
    std::int64_t m_rows = 0;
    std::int64_t m_together = 1;  // rows that no part separates
    std::int64_t m_parts = 0;
    Numbers m_bias;
};

struct ProjectionJob {
    const OneTokenProjection *projection;
    const float *x;
    float *y;
};

/// The rows of all jobs, shared out among the team.
void runProjections(ThreadTeam &team, std::span<const ProjectionJob> jobs);

class OneTokenNorm {
public:
    OneTokenNorm() = default;
    OneTokenNorm(const OneTokenWeights &weights, const std::string &name, const NormConfig &config);

    /// Over all n numbers; y may be x.
    void apply(std::int64_t n, const float *x, float *y) const;

private:
    NormConfig m_config;
    Numbers m_weight, m_bias;
};

/// The angles of one position, computed as Rope computes them.
class OneTokenRotation {
public:
    explicit OneTokenRotation(const RopeConfig &config);

    void moveTo(std::int64_t position);

    /// In place: x [heads,width]; `scratch` is working memory.
    void apply(std::int64_t heads, std::int64_t width, float *x, Numbers &scratch) const;

    const RopeConfig &config() const { return m_config; }

private:
    RopeConfig m_config;
    Rope m_rope;
    at::Tensor m_basis;  // pairs (1, 0), which become (cos, sin)
    Numbers m_cosine, m_sine;
    std::int64_t m_position = -1;
};

} // namespace lens
