// Data-parallel training over processes, by c10d: its store, Gloo and its Reducer. Every process has all weights and all
// gradients; the optimiser's state is split by rows (ZeRO stage 1, arXiv 1910.02054), so that it shrinks as processes are
// added. With one process nothing is communicated.
//
// All collective functions must be called by all processes in the same order. They fail within 30 seconds, naming the
// process, when one of them is gone or has stopped answering; after that the object is good for nothing.
#pragma once

#include "mixer/sequencestate.h"

#include <functional>
#include <memory>

namespace lens {

/// This process among those that a launcher started.
struct ProcessPlace {
    int rank = 0;
    int size = 1;
    std::string address;             ///< where the store listens
    int port = 0;
    bool launcherKeepsStore = false; ///< otherwise rank 0 does
};

/// From RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, which torchrun and other launchers set; without WORLD_SIZE one
/// process alone. ErrorCode::InvalidArgument names a variable that is missing or no number.
Result<ProcessPlace> processPlace();

class Distributed {
public:
    /// Waits until all processes are there, two minutes at most. ErrorCode::Unsupported for a device that the LibTorch in
    /// use cannot communicate from.
    static Result<std::unique_ptr<Distributed>> join(const ProcessPlace &place, const at::Device &device);

    /// The others are told when this one goes before leave().
    ~Distributed();

    int rank() const;
    int size() const;
    bool isFirst() const { return rank() == 0; }  ///< who writes logs and checkpoints

    Result<void> barrier();

    /// The values of process 0 for all.
    Result<void> broadcast(const std::vector<at::Tensor> &tensors);

    /// The sum over processes, in place.
    Result<void> sum(at::Tensor values);

    /// Runs one backward pass that reaches every parameter (leaf tensors that require gradients) once, and leaves in
    /// .grad() the sum over processes; communication overlaps with what is left of the pass. For a mean, weigh the losses.
    Result<void> summedBackward(const std::vector<at::Tensor> &parameters, const std::function<void()> &backward);

    /// The rows of a parameter, or of its gradient, that this process updates: a view without a graph, perhaps empty, of
    /// about 1/size of it. A scalar belongs to all.
    at::Tensor ownRows(const at::Tensor &whole) const;

    /// Every process gets everybody's own rows, in place: after a step.
    Result<void> shareRows(const std::vector<at::Tensor> &wholes);

    /// From own rows to whole tensors, on process 0 (the others get nothing): for a checkpoint that any number of
    /// processes can go on from.
    Result<NamedTensors> gatherRows(const NamedTensors &own);

    /// All is done: waits for the others. Later losses of processes are no concern.
    Result<void> leave();

private:
    class Group;

    explicit Distributed(std::unique_ptr<Group> group);

    std::unique_ptr<Group> m_group;
};

} // namespace lens
