// AdamW with decoupled weight decay (arXiv 1711.05101) over float32 tensors, in place.
#pragma once

#include "mixer/sequencestate.h"
#include "uptrain/recipe.h"

namespace lens {

class Optimiser {
public:
    /// What this process updates, by the names of the parameters: tensors without gradients, or rows of them. Weight decay
    /// goes to matrices that are no embeddings.
    Optimiser(const NamedTensors &parameters, const OptimiserOptions &options);

    /// One step. `gradients` has all names and shapes of the parameters.
    void step(double learningRate, const NamedTensors &gradients);

    /// "<name>/first", "<name>/second" moments and "steps", for a checkpoint; and back (ErrorCode::Mismatch).
    NamedTensors state() const;
    Result<void> assign(const NamedTensors &state, const std::string &where);

private:
    struct Group {
        std::vector<std::string> names;
        std::vector<at::Tensor> parameters, first, second, steps;
        double weightDecay = 0;
    };

    OptimiserOptions m_options;
    Group m_groups[2];  // without and with weight decay
};

/// sqrt(sum of squares) over the .grad() of all; and the multiplication that brings it down to `clip`.
double gradientNorm(const std::vector<at::Tensor> &parameters);
void clipGradients(const std::vector<at::Tensor> &parameters, double norm, double clip);

} // namespace lens
