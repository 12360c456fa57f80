#include "mixer/linearautograd.h"

#include "mixer/autograd.h"
#include "mixer/linearforms.h"

namespace lens {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Powers of gamma inside a chunk of n tokens, shaped to multiply [B,H,N,...].
struct ChunkDecay {
    at::Tensor mask;       // gamma^(i-j), j <= i: [H,1,n,n]
    at::Tensor fromStart;  // gamma^i: [H,1,n,1]
    at::Tensor toEnd;      // gamma^(n-j): [H,1,n,1]
    at::Tensor whole;      // gamma^n: [H,1,1]

    ChunkDecay(const at::Tensor &logGamma, std::int64_t n)
        : mask(decayMask(logGamma, n).unsqueeze(1)),
          fromStart(powers(logGamma, at::arange(1, n + 1, logGamma.options()))),
          toEnd(powers(logGamma, at::arange(n - 1, -1, -1, logGamma.options()))),
          whole((logGamma * static_cast<double>(n)).exp().view({-1, 1, 1}))
    {
    }

private:
    static at::Tensor powers(const at::Tensor &logGamma, const at::Tensor &exponents)
    {
        return at::outer(logGamma, exponents).exp().view({-1, 1, exponents.size(0), 1});
    }
};

/// N chunks of n tokens: q, k [B,H,N,n,dk], v [B,H,N,n,dv].
struct Chunks {
    at::Tensor q, k, v;
    ChunkDecay decay;
};

/// Some full chunks, then a short one.
struct Span {
    std::int64_t first, chunks, n;
};

std::vector<Span> spansOf(std::int64_t tokens, std::int64_t chunk)
{
    std::vector<Span> spans;
    const std::int64_t full = tokens / chunk;
    if (full > 0)
        spans.push_back({0, full, chunk});
    if (tokens % chunk > 0)
        spans.push_back({full * chunk, 1, tokens % chunk});
    return spans;
}

at::Tensor cut(const at::Tensor &x, const Span &span)
{
    return widened(x.narrow(2, span.first, span.chunks * span.n)).contiguous().unflatten(2, {span.chunks, span.n});
}

Chunks cut(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &logGamma,
           const Span &span)
{
    return {cut(q, span), cut(k, span), cut(v, span), ChunkDecay(logGamma, span.n)};
}

/// X_c = whole X_{c-1} + terms_c. Every term is replaced by the X that enters its chunk; X becomes the last one.
void scan(const at::Tensor &terms, const at::Tensor &whole, at::Tensor &X, bool backwards)
{
    const std::int64_t chunks = terms.size(2);
    for (std::int64_t i = 0; i < chunks; ++i) {
        const at::Tensor term = terms.select(2, backwards ? chunks - 1 - i : i);
        const at::Tensor next = at::addcmul(term, whole, X);
        term.copy_(X);
        X = next;
    }
}

/// The state that enters each chunk, [B,H,N,dk,dv]; S becomes the one after the last.
at::Tensor enteringStates(const Chunks &c, at::Tensor &S)
{
    const at::Tensor states = at::matmul((c.k * c.decay.toEnd).transpose(-1, -2), c.v);
    scan(states, c.decay.whole, S, false);
    return states;
}

at::Tensor scores(const Chunks &c)
{
    return at::matmul(c.q, c.k.transpose(-1, -2)).mul_(c.decay.mask);
}

at::Tensor outputs(const Chunks &c, const at::Tensor &states)
{
    return at::matmul(c.q * c.decay.fromStart, states).add_(at::matmul(scores(c), c.v)).flatten(2, 3);
}

struct Gradients {
    at::Tensor q, k, v, logGamma;
};

/// d log gamma of N chunks: sum_i i q_i.dq_i - sum_j j k_j.dk_j + n <S', dS'> in each, i and j counted from 1 inside the
/// chunk. For O_i, gamma's power is i in the part that comes from S and i - j in the rest; for S' it is n and n - j.
at::Tensor decayGradient(const Chunks &c, const Gradients &d, const at::Tensor &states, const at::Tensor &leaving,
                         const at::Tensor &dLeavingStates)
{
    const std::int64_t chunks = c.q.size(2), n = c.q.size(3);
    const at::Tensor index = at::arange(1, n + 1, c.q.options());
    const at::Tensor within = (((c.q * d.q).sum(-1) - (c.k * d.k).sum(-1)) * index).sum({0, 2, 3});
    at::Tensor between = (leaving * dLeavingStates.select(2, chunks - 1)).sum({0, 2, 3});
    if (chunks > 1)
        between = between + (states.narrow(2, 1, chunks - 1) * dLeavingStates.narrow(2, 0, chunks - 1)).sum({0, 2, 3, 4});
    return within + between * static_cast<double>(n);
}

/// dS is the gradient of the state that leaves the last chunk; it becomes that of the one entering the first.
Gradients gradients(const Chunks &c, const at::Tensor &states, const at::Tensor &leaving, const at::Tensor &dO, at::Tensor &dS,
                    bool wantDecay)
{
    const at::Tensor dStates = at::matmul((c.q * c.decay.fromStart).transpose(-1, -2), dO);
    scan(dStates, c.decay.whole, dS, true);
    Gradients d;
    const at::Tensor dScores = at::matmul(dO, c.v.transpose(-1, -2)).mul_(c.decay.mask);
    d.q = at::matmul(dO, states.transpose(-1, -2)).mul_(c.decay.fromStart).add_(at::matmul(dScores, c.k));
    d.k = at::matmul(c.v, dStates.transpose(-1, -2)).mul_(c.decay.toEnd).add_(at::matmul(dScores.transpose(-1, -2), c.q));
    d.v = at::matmul(c.k, dStates).mul_(c.decay.toEnd).add_(at::matmul(scores(c).transpose(-1, -2), dO));
    if (wantDecay)
        d.logGamma = decayGradient(c, d, states, leaving, dStates);
    return d;
}

at::Tensor joined(std::vector<at::Tensor> parts, const at::Tensor &like)
{
    return (parts.size() == 1 ? parts.front() : at::cat(parts, 2)).to(like.scalar_type());
}

class TrainedAttention : public torch::autograd::Function<TrainedAttention> {
public:
    static variable_list forward(AutogradContext *context, const at::Tensor &q, const at::Tensor &k, const at::Tensor &v,
                                 const at::Tensor &logGamma, const at::Tensor &S, std::int64_t chunk)
    {
        context->save_for_backward({q, k, v, logGamma, S});
        context->saved_data["chunk"] = chunk;
        at::Tensor state = widened(S);
        std::vector<at::Tensor> parts;
        for (const Span &span : spansOf(q.size(2), chunk)) {
            const Chunks c = cut(q, k, v, logGamma, span);
            const at::Tensor states = enteringStates(c, state);
            parts.push_back(outputs(c, states));
        }
        context->mark_non_differentiable({state});
        return {parts.size() == 1 ? parts.front() : at::cat(parts, 2), state};
    }

    static variable_list backward(AutogradContext *context, variable_list outputGradients)
    {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &q = saved[0], &k = saved[1], &v = saved[2], &logGamma = saved[3];
        const std::vector<Span> spans = spansOf(q.size(2), context->saved_data["chunk"].toInt());
        // At most two spans: the state that enters the second is what the first leaves.
        std::vector<at::Tensor> entering{widened(saved[4])};
        for (std::size_t i = 0; i + 1 < spans.size(); ++i) {
            at::Tensor state = entering.back();
            enteringStates(cut(q, k, v, logGamma, spans[i]), state);
            entering.push_back(state);
        }
        at::Tensor dS = at::zeros_like(entering.front());
        std::vector<at::Tensor> dq, dk, dv;
        at::Tensor dLogGamma;
        for (std::size_t i = spans.size(); i-- > 0;) {
            const Chunks c = cut(q, k, v, logGamma, spans[i]);
            at::Tensor leaving = entering[i];
            const at::Tensor states = enteringStates(c, leaving);
            Gradients d = gradients(c, states, leaving, cut(outputGradients[0], spans[i]), dS, context->needs_input_grad(3));
            dq.insert(dq.begin(), d.q.flatten(2, 3));
            dk.insert(dk.begin(), d.k.flatten(2, 3));
            dv.insert(dv.begin(), d.v.flatten(2, 3));
            if (d.logGamma.defined())
                dLogGamma = dLogGamma.defined() ? dLogGamma + d.logGamma : d.logGamma;
        }
        if (dLogGamma.defined())
            dLogGamma = dLogGamma.to(logGamma.scalar_type());
        return {joined(std::move(dq), q), joined(std::move(dk), k), joined(std::move(dv), v), dLogGamma, {}, {}};
    }
};

} // namespace

at::Tensor attendTrained(const at::Tensor &q, const at::Tensor &k, const at::Tensor &v, const at::Tensor &logGamma,
                         at::Tensor &S, std::int64_t chunk)
{
    const variable_list results = TrainedAttention::apply(q, k, v, logGamma, S, chunk);
    S = results[1];
    return results[0];
}

} // namespace lens
