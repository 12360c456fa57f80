#include "model/onetokenmixer.h"

#include "kernels/onetoken.h"
#include "mixer/kvcache.h"
#include "mixer/recurrentstate.h"
#include "tensor/kernelbridge.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace lens {

namespace {

Numbers zeros(std::int64_t n)
{
    return Numbers(static_cast<std::size_t>(n), 0.0f);
}

/// What softmax and linear mixers share: projections, norms of queries and keys, rotations.
class Inputs {
public:
    Inputs(const OneTokenWeights &weights, const std::string &name, const MixerConfig &config)
        : q(zeros(config.heads * std::max(config.inputDim, config.keyDim))),
          k(zeros(config.kvHeads * std::max(config.inputDim, config.keyDim))), v(zeros(config.kvHeads * config.valueDim)),
          m_q(weights, name + ".q"), m_k(weights, name + ".k"), m_v(weights, name + ".v")
    {
    }

    void project(const float *x, ThreadTeam &team)
    {
        const std::array jobs{ProjectionJob{&m_q, x, q.data()}, ProjectionJob{&m_k, x, k.data()}, ProjectionJob{&m_v, x, v.data()}};
        runProjections(team, jobs);
    }

    Numbers q, k, v;

private:
    OneTokenProjection m_q, m_k, m_v;
};

class OneTokenSoftmax final : public OneTokenMixer {
public:
    OneTokenSoftmax(const OneTokenWeights &weights, const std::string &name, const MixerConfig &config)
        : m_config(config), m_inputs(weights, name, config), m_out(weights, name + ".out"),
          m_qNorm(weights, name + ".q_norm", config.queryKeyNormConfig), m_kNorm(weights, name + ".k_norm", config.queryKeyNormConfig),
          m_mixed(zeros(config.heads * config.valueDim)), m_scale(static_cast<float>(1 / std::sqrt(static_cast<double>(config.inputDim))))
    {
    }

    void run(const float *x, float *y, const OneTokenCall &call) override
    {
        m_inputs.project(x, call.team);
        Numbers &q = m_inputs.q, &k = m_inputs.k;
        if (m_config.queryKeyNorm) {
            m_qNorm.apply(static_cast<std::int64_t>(q.size()), q.data(), q.data());
            m_kNorm.apply(static_cast<std::int64_t>(k.size()), k.data(), k.data());
        }
        call.rotation.apply(m_config.heads, m_config.inputDim, q.data(), m_scratch);
        call.rotation.apply(m_config.kvHeads, m_config.inputDim, k.data(), m_scratch);
        auto &cache = static_cast<KvCache &>(call.state);
        cache.append(k, m_inputs.v);
        withNumberType(cache.keyBuffer(), [&](auto type) { attend<decltype(type)>(cache, call.team); });
        const std::array jobs{ProjectionJob{&m_out, m_mixed.data(), y}};
        runProjections(call.team, jobs);
    }

private:
    /// In ranges of tokens, so that threads have much the same to do.
    template <class T>
    void attend(const KvCache &cache, ThreadTeam &team)
    {
        const at::Tensor &keys = cache.keyBuffer(), &values = cache.valueBuffer();
        const std::int64_t window = m_config.slidingWindow, tokens = cache.tokens();
        const std::int64_t visible = window > 0 ? std::min(window, tokens) : tokens;
        const std::int64_t length = std::clamp<std::int64_t>((visible + 1) / 2, kLeastRange, kernels::kMostAttended);
        const std::int64_t ranges = (visible + length - 1) / length;
        const std::int64_t dk = m_config.inputDim, dv = m_config.valueDim, group = m_config.heads / m_config.kvHeads;
        m_logSums.resize(static_cast<std::size_t>(ranges * m_config.heads));
        m_parts.resize(m_logSums.size() * static_cast<std::size_t>(dv));
        float *out = ranges > 1 ? m_parts.data() : m_mixed.data();
        const T *k = numbers<const T>(keys), *v = numbers<const T>(values);
        const std::int64_t keyStride = keys.stride(1), valueStride = values.stride(1);
        team.run(m_config.kvHeads * ranges, [&](std::int64_t part) {
            const std::int64_t kvHead = part % m_config.kvHeads, range = part / m_config.kvHeads, begin = range * length;
            const std::int64_t row = tokens - visible + begin, to = range * m_config.heads + kvHead * group;
            kernels::attend(std::min(length, visible - begin), group, dk, dv, m_inputs.q.data() + kvHead * group * dk,
                            k + kvHead * keyStride + row * dk, v + kvHead * valueStride + row * dv, m_scale, out + to * dv,
                            m_logSums.data() + to);
        });
        if (ranges > 1)
            kernels::mergeAttention(ranges, m_config.heads, dv, m_parts.data(), m_logSums.data(), m_mixed.data());
    }

    static constexpr std::int64_t kLeastRange = 128;  // some microseconds of work

    MixerConfig m_config;
    Inputs m_inputs;
    OneTokenProjection m_out;
    OneTokenNorm m_qNorm, m_kNorm;
    Numbers m_mixed;             // [H,dv]
    Numbers m_parts, m_logSums;  // the same of each range [ranges,H,dv], [ranges,H]
    Numbers m_scratch;
    float m_scale;
};

/// phi of one head, in place: PerHeadRelu, Elu1, Hedgehog or nothing. SharedRelu's product comes before; what is left of
/// it is the rectification.
class OneTokenFeatures {
public:
    OneTokenFeatures(const OneTokenWeights &weights, const std::string &name, const MixerConfig &config)
        : m_config(config), m_weight(isPerHead() ? weights.copy(name + ".weight") : Numbers()),
          m_bias(isPerHead() ? weights.copy(name + ".bias") : Numbers())
    {
    }

    /// x [di], y [dk].
    void apply(std::int64_t head, const float *x, float *y) const
    {
        const std::int64_t di = m_config.inputDim, dk = m_config.keyDim;
        switch (m_config.features) {
        case FeatureMapForm::None:
        case FeatureMapForm::SharedRelu: std::copy(x, x + dk, y); break;
        case FeatureMapForm::PerHeadRelu:
            kernels::transposedProduct(di, dk, x, m_weight.data() + head * di * dk, m_bias.data() + head * dk, y);
            break;
        case FeatureMapForm::Elu1:
            std::transform(x, x + dk, y, [](float number) { return number > 0 ? number + 1 : std::exp(number); });
            break;
        case FeatureMapForm::Hedgehog: hedgehog(head, x, y); break;
        }
        if (m_config.features == FeatureMapForm::SharedRelu || m_config.features == FeatureMapForm::PerHeadRelu)
            std::transform(y, y + dk, y, [](float number) { return number < 0 ? 0 : number; });
        if (m_config.featureFloor > 0)
            std::transform(y, y + dk, y, [floor = static_cast<float>(m_config.featureFloor)](float number) {
                return number < floor ? floor : number;
            });
    }

private:
    bool isPerHead() const
    {
        return m_config.features == FeatureMapForm::PerHeadRelu || m_config.features == FeatureMapForm::Hedgehog;
    }

    void hedgehog(std::int64_t head, const float *x, float *y) const
    {
        const std::int64_t di = m_config.inputDim, half = m_config.keyDim / 2;
        kernels::transposedProduct(di, half, x, m_weight.data() + head * di * half, nullptr, y);
        std::transform(y, y + half, y + half, [](float number) { return -number; });
        for (float *part : {y, y + half}) {
            const float greatest = *std::max_element(part, part + half);
            float sum = 0;
            for (std::int64_t i = 0; i < half; ++i)
                sum += part[i] = std::exp(part[i] - greatest);
            std::transform(part, part + half, part, [sum](float number) { return number / sum; });
        }
    }

    MixerConfig m_config;
    Numbers m_weight, m_bias;
};

class OneTokenLinear final : public OneTokenMixer {
public:
    OneTokenLinear(const OneTokenWeights &weights, const std::string &name, const MixerConfig &config)
        : m_config(config), m_inputs(weights, name, config), m_out(weights, name + ".out"),
          m_qNorm(weights, name + ".q_norm", config.queryKeyNormConfig), m_kNorm(weights, name + ".k_norm", config.queryKeyNormConfig),
          m_queryFeatures(weights, name + ".feature_map", config), m_keyFeatures(weights, name + keyMap(), config),
          m_q(zeros(config.heads * config.keyDim)), m_k(zeros(config.heads * config.keyDim)), m_keys(zeros(config.kvHeads * config.keyDim)),
          m_v(zeros(config.heads * stateColumns())), m_mixed(zeros(config.heads * stateColumns())),
          m_keyScale(static_cast<float>(1 / std::sqrt(static_cast<double>(config.keyDim))))
    {
        if (config.features == FeatureMapForm::SharedRelu) {
            m_queryMap = OneTokenProjection(weights, name + ".feature_map");
            m_keyMap = OneTokenProjection(weights, name + keyMap());
        }
        m_scale = weights.copy(name + ".scale");
        for (const double slope : config.slopes)
            m_gamma.push_back(std::exp(-static_cast<float>(slope)));
    }

    void run(const float *x, float *y, const OneTokenCall &call) override
    {
        m_inputs.project(x, call.team);
        if (m_config.normalises())  // the others turn features
            rotate(call, m_inputs.q, m_inputs.k, m_config.kvHeads, m_config.inputDim);
        if (m_config.features == FeatureMapForm::SharedRelu)
            applySharedMap(call.team);
        call.team.run(m_config.heads + m_config.kvHeads, [&](std::int64_t head) { makeFeatures(head); });
        repeatKeys();
        if (m_config.queryKeyNorm) {
            m_qNorm.apply(static_cast<std::int64_t>(m_q.size()), m_q.data(), m_q.data());
            m_kNorm.apply(static_cast<std::int64_t>(m_k.size()), m_k.data(), m_k.data());
        }
        if (!m_config.normalises())
            rotate(call, m_q, m_k, m_config.heads, m_config.keyDim);
        float *state = numbers<float>(static_cast<RecurrentState &>(call.state).ownMatrix());
        call.team.run(m_config.heads, [&](std::int64_t head) { mix(head, state, call.stateNorms); });
        gather();
        const std::array jobs{ProjectionJob{&m_out, m_mixed.data(), y}};
        runProjections(call.team, jobs);
    }

private:
    std::string keyMap() const { return m_config.sharedFeatures ? ".feature_map" : ".feature_map_k"; }
    std::int64_t stateColumns() const { return m_config.valueDim + (m_config.normalises() ? 1 : 0); }

    void rotate(const OneTokenCall &call, Numbers &q, Numbers &k, std::int64_t keyHeads, std::int64_t width)
    {
        call.rotation.apply(m_config.heads, width, q.data(), m_scratch);
        call.rotation.apply(keyHeads, width, k.data(), m_scratch);
    }

    void applySharedMap(ThreadTeam &team)
    {
        m_mappedQ.resize(m_q.size());
        m_mappedK.resize(m_keys.size());
        const std::array jobs{ProjectionJob{&m_queryMap, m_inputs.q.data(), m_mappedQ.data()},
                              ProjectionJob{&m_keyMap, m_inputs.k.data(), m_mappedK.data()}};
        runProjections(team, jobs);
        std::copy(m_mappedQ.begin(), m_mappedQ.end(), m_inputs.q.begin());
        std::copy(m_mappedK.begin(), m_mappedK.end(), m_inputs.k.begin());
    }

    /// Of a query head, or behind them of a key head.
    void makeFeatures(std::int64_t head)
    {
        const std::int64_t dk = m_config.keyDim;
        const std::int64_t di = m_config.features == FeatureMapForm::SharedRelu ? dk : m_config.inputDim;
        if (head < m_config.heads) {
            m_queryFeatures.apply(head, m_inputs.q.data() + head * di, m_q.data() + head * dk);
        } else {
            head -= m_config.heads;
            m_keyFeatures.apply(head, m_inputs.k.data() + head * di, m_keys.data() + head * dk);
        }
    }

    void repeatKeys()
    {
        const std::int64_t dk = m_config.keyDim, dv = m_config.valueDim, group = m_config.heads / m_config.kvHeads;
        for (std::int64_t head = 0; head < m_config.heads; ++head) {
            std::copy_n(m_keys.data() + head / group * dk, dk, m_k.data() + head * dk);
            std::copy_n(m_inputs.v.data() + head / group * dv, dv, m_v.data() + head * stateColumns());
            if (m_config.normalises())
                m_v[static_cast<std::size_t>(head * stateColumns() + dv)] = 1;
        }
    }

    void mix(std::int64_t head, float *state, float *stateNorms)
    {
        const std::int64_t dk = m_config.keyDim, dv = m_config.valueDim, columns = stateColumns();
        float *k = m_k.data() + head * dk, *out = m_mixed.data() + head * columns;
        std::transform(k, k + dk, k, [this](float number) { return number * m_keyScale; });
        const float squares = kernels::advance(dk, columns, m_gamma[static_cast<std::size_t>(head)], m_q.data() + head * dk, k,
                                               m_v.data() + head * columns, state + head * dk * columns, out, dv);
        if (stateNorms)
            stateNorms[head] = std::sqrt(squares);
        if (m_config.normalises()) {
            const float sum = out[dv] + static_cast<float>(m_config.epsilon);
            std::transform(out, out + dv, out, [sum](float number) { return number / sum; });
        } else {
            kernels::centre(dv, static_cast<float>(m_config.epsilon), out);
        }
    }

    /// Closes the gaps that the normalisers leave, and scales.
    void gather()
    {
        for (std::int64_t head = 1; head < m_config.heads && m_config.normalises(); ++head)
            std::copy_n(m_mixed.data() + head * stateColumns(), m_config.valueDim, m_mixed.data() + head * m_config.valueDim);
        for (std::size_t i = 0; i < m_scale.size(); ++i)
            m_mixed[i] *= m_scale[i];
    }

    MixerConfig m_config;
    Inputs m_inputs;
    OneTokenProjection m_out, m_queryMap, m_keyMap;
    OneTokenNorm m_qNorm, m_kNorm;
    OneTokenFeatures m_queryFeatures, m_keyFeatures;
    Numbers m_q, m_k;   // [H,dk]
    Numbers m_keys;     // [K,dk], before they are repeated
    Numbers m_v;        // [H,dv], with a one behind each where there is a normaliser
    Numbers m_mixed;    // the same shape
    Numbers m_scale;    // [H*dv], or empty
    Numbers m_gamma, m_mappedQ, m_mappedK, m_scratch;
    float m_keyScale;
};

} // namespace

std::unique_ptr<OneTokenMixer> makeOneTokenMixer(const OneTokenWeights &weights, const std::string &name, const MixerConfig &config)
{
    if (config.isLinear())
        return std::make_unique<OneTokenLinear>(weights, name, config);
    return std::make_unique<OneTokenSoftmax>(weights, name, config);
}

} // namespace lens
