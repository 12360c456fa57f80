// One process of a small data-parallel training, for tst_distributed. Its place is in the environment.
//   distributedworker STEPS [save=FOLDER] [load=FOLDER] [fault=kill|stop|leave at=RANK]
// Prints the loss of every step, then the bytes of its optimiser state.
#include "uptrain/distributed.h"
#include "uptrain/optimiser.h"
#include "uptrain/trainingcheckpoint.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <torch/csrc/autograd/autograd.h>

using namespace lens;

namespace {

constexpr std::int64_t kBatch = 12;
constexpr int kFaultyStep = 5;

/// Unwinds main(): a process that is about to end takes leave of the others in its destructors.
struct Failure {
    Error error;
};

template <class T>
T valueOf(Result<T> result)
{
    if (!result)
        throw Failure{result.error()};
    if constexpr (!std::is_void_v<T>)
        return std::move(*result);
}

struct Problem {
    NamedTensors weights;
    std::vector<at::Tensor> all;

    Problem()
    {
        at::manual_seed(1);
        weights = {{"a.weight", at::randn({37, 16}) * 0.3}, {"a.bias", at::zeros({37})}, {"b.weight", at::randn({5, 37}) * 0.3},
                   {"c.weight", at::randn({200, 70}) * 0.1}, {"d.scale", at::ones({3})}};
        for (auto &[name, weight] : weights)
            all.push_back(weight.set_requires_grad(true));
    }

    /// Rows [first, first + rows) of a step's batch; divided by the whole batch, so that the sum over processes is its mean.
    at::Tensor loss(std::int64_t step, std::int64_t first, std::int64_t rows) const
    {
        at::manual_seed(static_cast<std::uint64_t>(100 + step));
        const at::Tensor x = at::randn({kBatch, 16}), y = at::sin(x.narrow(1, 0, 5) * 2);
        const at::Tensor hidden = at::tanh(at::linear(x, weights.at("a.weight"), weights.at("a.bias")));
        const at::Tensor error = (at::linear(hidden, weights.at("b.weight")) - y).square().sum(1);
        const at::Tensor others = weights.at("c.weight").square().mean() + (weights.at("d.scale") - 2).square().sum();
        return error.narrow(0, first, rows).sum() / static_cast<double>(kBatch) + others * rows / kBatch;
    }
};

void fault(const std::string &kind, int rank)
{
    if (kind == "kill")
        ::raise(SIGKILL);
    if (kind == "stop")
        ::raise(SIGSTOP);
    if (kind == "leave")
        throw Failure{{ErrorCode::Io, "the disk is full", "rank " + std::to_string(rank), {}}};
}

void work(int count, char **values)
{
    std::map<std::string, std::string> options;
    for (int i = 2; i < count; ++i) {
        const std::string option = values[i];
        options[option.substr(0, option.find('='))] = option.substr(option.find('=') + 1);
    }
    std::unique_ptr<Distributed> group = valueOf(Distributed::join(valueOf(processPlace()), at::kCPU));
    Problem problem;
    if (group->rank() > 0)
        for (at::Tensor &weight : problem.all)
            weight.detach().zero_();
    valueOf(group->broadcast(problem.all));

    NamedTensors own;
    for (const auto &[name, weight] : problem.weights)
        own[name] = group->ownRows(weight);  // of the scale, one process in four has none
    Optimiser optimiser(own, {});
    std::int64_t step = 0;
    if (options.contains("load")) {
        const auto loaded = valueOf(CheckpointFolder(options["load"], 2).newest());
        step = loaded->position.step;
        NamedTensors state;
        for (const auto &[name, weight] : loaded->masters)
            problem.weights.at(name).detach().copy_(weight);
        for (const auto &[name, whole] : loaded->optimiser)
            state[name] = group->ownRows(whole);
        valueOf(optimiser.assign(state, "checkpoint"));
    }
    const std::int64_t first = kBatch * group->rank() / group->size(), last = kBatch * (group->rank() + 1) / group->size();
    for (const std::int64_t end = step + std::atoi(values[1]); step < end; ++step) {
        if (step == kFaultyStep && options.contains("fault") && std::atoi(options["at"].c_str()) == group->rank()) {
            fault(options["fault"], group->rank());
        }
        for (at::Tensor &weight : problem.all)
            weight.mutable_grad() = at::Tensor();
        const at::Tensor loss = problem.loss(step, first, last - first);
        valueOf(group->summedBackward(problem.all, [&] { loss.backward(); }));
        NamedTensors gradients;
        for (const auto &[name, rows] : own)
            gradients[name] = group->ownRows(problem.weights.at(name).grad());
        optimiser.step(0.01, gradients);
        valueOf(group->shareRows(problem.all));
        const at::Tensor total = loss.detach().to(at::kDouble);
        valueOf(group->sum(total));
        std::printf("%.9f\n", total.item<double>());
    }
    const NamedTensors state = optimiser.state();
    std::int64_t bytes = 0;
    for (const auto &[name, tensor] : state)
        bytes += static_cast<std::int64_t>(tensor.nbytes());
    std::printf("bytes %lld\n", static_cast<long long>(bytes));
    if (options.contains("save")) {
        NamedTensors whole = valueOf(group->gatherRows(state));
        NamedTensors masters;
        for (const auto &[name, weight] : problem.weights)
            masters[name] = weight.detach();
        RunPosition position;
        position.step = step;
        if (group->isFirst())
            valueOf(CheckpointFolder(options["save"], 2).write({position, masters, whole}));
    }
    valueOf(group->leave());
}

} // namespace

int main(int count, char **values)
{
    try {
        work(count, values);
        return 0;
    } catch (const Failure &failure) {
        std::fprintf(stderr, "%s\n", toString(failure.error).c_str());
        return 3;
    }
}
