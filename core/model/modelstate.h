// Everything a model remembers of one sequence (or of a batch of equally long ones).
#pragma once

#include "mixer/sequencestate.h"

#include <vector>

namespace lens {

class ModelState {
public:
    explicit ModelState(std::vector<std::unique_ptr<SequenceState>> layers) : m_layers(std::move(layers)) {}

    /// A copy that shares no memory with this one.
    ModelState clone() const;

    std::uint64_t bytes() const;

    /// Tokens seen so far: the position of the next one.
    std::int64_t position() const { return m_position; }
    void advance(std::int64_t tokens) { m_position += tokens; }

    std::size_t layerCount() const { return m_layers.size(); }
    SequenceState &layer(std::size_t index) { return *m_layers[index]; }
    const SequenceState &layer(std::size_t index) const { return *m_layers[index]; }

    /// Goes back to the first `tokens` tokens; false (and unchanged) when any layer cannot.
    bool truncate(std::int64_t tokens);

    /// What goBackTo() needs: copies of the layers that cannot be shortened, null for the others.
    struct Point {
        std::int64_t position = 0;
        std::vector<std::unique_ptr<SequenceState>> copies;
    };
    Point point() const;

    /// Undoes whatever passes have done since `point`, also one that was broken off between two layers. Asks for no
    /// memory, so that it works when there is none left.
    void goBackTo(Point point);

    /// All tensors as "layers.N.<name>", and "position".
    NamedTensors tensors() const;
    Result<void> assign(const NamedTensors &tensors);

private:
    std::vector<std::unique_ptr<SequenceState>> m_layers;
    std::int64_t m_position = 0;
};

} // namespace lens
