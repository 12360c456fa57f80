// The mixers as one token on the CPU meets them.
#pragma once

#include "mixer/mixerconfig.h"
#include "mixer/sequencestate.h"
#include "model/onetokenparts.h"

#include <memory>

namespace lens {

/// What one token takes along through the layers.
struct OneTokenCall {
    ThreadTeam &team;
    const OneTokenRotation &rotation;
    SequenceState &state;
    std::int64_t position;
    float *stateNorms;  ///< [heads], null when nobody wants them
};

class OneTokenMixer {
public:
    virtual ~OneTokenMixer() = default;

    /// x [D], y [D] (not x). Working memory is the mixer's own: one call at a time.
    virtual void run(const float *x, float *y, const OneTokenCall &call) = 0;
};

/// `name` as in "layers.3.mixer".
std::unique_ptr<OneTokenMixer> makeOneTokenMixer(const OneTokenWeights &weights, const std::string &name, const MixerConfig &config);

} // namespace lens
