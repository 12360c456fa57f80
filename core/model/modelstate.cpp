#include "model/modelstate.h"

#include <algorithm>

namespace lens {

ModelState ModelState::clone() const
{
    std::vector<std::unique_ptr<SequenceState>> layers;
    for (const auto &layer : m_layers)
        layers.push_back(layer->clone());
    ModelState copy(std::move(layers));
    copy.m_position = m_position;
    return copy;
}

std::uint64_t ModelState::bytes() const
{
    std::uint64_t total = 0;
    for (const auto &layer : m_layers)
        total += layer->bytes();
    return total;
}

bool ModelState::truncate(std::int64_t tokens)
{
    if (tokens >= m_position)
        return true;
    if (!std::all_of(m_layers.begin(), m_layers.end(), [](const auto &layer) { return layer->canTruncate(); }))
        return false;
    for (const auto &layer : m_layers)
        layer->truncate(tokens);
    m_position = tokens;
    return true;
}

ModelState::Point ModelState::point() const
{
    Point point{m_position, {}};
    for (const auto &layer : m_layers)
        point.copies.push_back(layer->canTruncate() ? nullptr : layer->clone());
    return point;
}

void ModelState::goBackTo(Point point)
{
    for (std::size_t i = 0; i < m_layers.size(); ++i) {
        if (point.copies[i])
            m_layers[i] = std::move(point.copies[i]);
        else
            m_layers[i]->truncate(point.position);
    }
    m_position = point.position;
}

NamedTensors ModelState::tensors() const
{
    NamedTensors all{{"position", at::tensor(m_position, at::kLong)}};
    for (std::size_t i = 0; i < m_layers.size(); ++i)
        for (auto &[name, tensor] : m_layers[i]->tensors())
            all.emplace("layers." + std::to_string(i) + "." + name, tensor);
    return all;
}

Result<void> ModelState::assign(const NamedTensors &tensors)
{
    const auto position = tensors.find("position");
    if (position == tensors.end() || position->second.numel() != 1)
        return fail(ErrorCode::Mismatch, "the saved state does not say how many tokens it stands for");
    for (std::size_t i = 0; i < m_layers.size(); ++i) {
        const std::string prefix = "layers." + std::to_string(i) + ".";
        NamedTensors own;
        for (auto it = tensors.lower_bound(prefix); it != tensors.end() && it->first.starts_with(prefix); ++it)
            own.emplace(it->first.substr(prefix.size()), it->second);
        if (auto assigned = m_layers[i]->assign(own); !assigned)
            return fail(assigned.error().code, assigned.error().what, "layer " + std::to_string(i));
    }
    m_position = position->second.item<std::int64_t>();
    return {};
}

} // namespace lens
