// AdamW with decoupled weight decay (arXiv 1711.05101) over float32 tensors, in place.
#pragma once

#include "mixer/sequencestate.h"
#include "uptrain/recipe.h"

namespace lens {

class Optimiser {
public:
    /// The parameters that this process updates, by name; they must outlive it. Weight decay goes to matrices that are
    /// no embeddings.
    Optimiser(const NamedTensors &parameters, const OptimiserOptions &options);

    /// One step from the gradients in .grad(), which must all be there.
    void step(double learningRate);

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

/// sqrt(sum of squares) over all gradients; and the multiplication that brings it down to `clip`.
double gradientNorm(const std::vector<at::Tensor> &parameters);
void clipGradients(const std::vector<at::Tensor> &parameters, double norm, double clip);

} // namespace lens
