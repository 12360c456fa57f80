// Between the host's memory and a device's. For CUDA devices copies pass through page-locked memory, which the device
// reads and writes by itself, so that nobody waits for them; for others, and when no memory can be locked, they are
// plain. Everything here may throw c10::Error: call it inside guarded().
#pragma once

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <array>
#include <optional>

namespace lens {

/// Uninitialised memory of the host that `device` can reach by itself, if there is such a thing; else plain memory.
at::Tensor hostBuffer(at::IntArrayRef sizes, at::ScalarType type, const at::Device &device);

/// A host tensor on `device`: for small ones, since as much page-locked memory is taken. Larger ones go through Upload.
at::Tensor sentTo(const at::Device &device, const at::Tensor &tensor);

/// A place in the queue of a device's work that the host can wait for.
class Milestone {
public:
    /// Behind everything that is queued now.
    explicit Milestone(const at::Device &device);

    void wait() const;

private:
    std::optional<c10::Event> m_event;  // none where work is done when its call returns
};

/// A tensor on its way to the host.
class Readback {
public:
    /// Asks for `source` as the work queued so far leaves it. Returns at once.
    explicit Readback(const at::Tensor &source);

    /// Waits for it. On the CPU.
    const at::Tensor &wait() const;

private:
    at::Tensor m_host;
    Milestone m_arrived;
};

/// Takes tensors to a device in pieces through two buffers: the device fetches one while the host fills the other.
class Upload {
public:
    static constexpr std::int64_t standardPiece = 16 << 20;  ///< bytes

    explicit Upload(const at::Device &device, std::int64_t pieceBytes = standardPiece);

    /// `tensor` (of the host) in the device's memory. It may be changed or freed at once; the last pieces may still be
    /// under way, which work queued on the device from now on waits for by itself.
    at::Tensor send(const at::Tensor &tensor);

private:
    struct Stage {
        at::Tensor bytes;
        std::optional<Milestone> fetched;
    };

    at::Device m_device;
    std::int64_t m_pieceBytes;
    std::array<Stage, 2> m_stages;
    std::size_t m_next = 0;
};

} // namespace lens
