#include "model/mergechanges.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace lens {

namespace {

/// merge(weight, change) where "<base><suffix>" finds its matrix "<base><matrix>"; what was merged is taken out.
template <class Merge>
void mergeInto(NamedTensors &weights, std::string_view suffix, std::string_view matrix, const Merge &merge)
{
    for (auto change = weights.begin(); change != weights.end();) {
        const std::string base = change->first.substr(0, change->first.size() - std::min(suffix.size(), change->first.size()));
        const auto weight = change->first.ends_with(suffix) ? weights.find(base + std::string(matrix)) : weights.end();
        if (weight == weights.end()) {
            ++change;
            continue;
        }
        merge(base, weight->second, change->second);
        change = weights.erase(change);
    }
}

} // namespace

void mergeLowRank(NamedTensors &weights)
{
    std::vector<std::string> merged;
    mergeInto(weights, ".lora_a", ".weight", [&](const std::string &projection, at::Tensor &weight, const at::Tensor &a) {
        merged.push_back(projection + ".lora_b");
        weight = weight.to(at::kFloat) + at::matmul(weights.at(merged.back()).to(at::kFloat), a.to(at::kFloat));
    });
    for (const std::string &name : merged)
        weights.erase(name);
}

void mergeScales(NamedTensors &weights)
{
    mergeInto(weights, ".scale", ".out.weight", [](const std::string &, at::Tensor &weight, const at::Tensor &scale) {
        weight = weight.to(at::kFloat) * scale.to(at::kFloat);
    });
}

} // namespace lens
