#include "tensor/hosttransfer.h"

#include "tensor/torchbridge.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <algorithm>

namespace lens {

namespace {

/// The same memory as one row of bytes.
at::Tensor bytesOf(const at::Tensor &dense)
{
    return dense.view({-1}).view(at::kByte);
}

at::Tensor hostCopy(const at::Tensor &source)
{
    at::Tensor host = hostBuffer(source.sizes(), source.scalar_type(), source.device());
    return host.copy_(source, true);
}

} // namespace

at::Tensor hostBuffer(at::IntArrayRef sizes, at::ScalarType type, const at::Device &device)
{
    const auto plain = at::TensorOptions().dtype(type).device(at::kCPU);
    if (!device.is_cuda())
        return at::empty(sizes, plain);
    // Locked memory is scarce, and a copy from plain memory is merely slower.
    const auto locked = guarded("page-locked memory", [&]() -> Result<at::Tensor> {
        return at::empty(sizes, plain.pinned_memory(true));
    });
    return locked ? *locked : at::empty(sizes, plain);
}

at::Tensor sentTo(const at::Device &device, const at::Tensor &tensor)
{
    if (!device.is_cuda())
        return tensor.to(device);
    // LibTorch hands the buffer out again only after the device has read it.
    const at::Tensor staged = hostBuffer(tensor.sizes(), tensor.scalar_type(), device).copy_(tensor);
    return staged.to(device, true);
}

Milestone::Milestone(const at::Device &device)
{
    if (!device.is_cuda())
        return;
    m_event.emplace(device.type());
    m_event->record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
}

void Milestone::wait() const
{
    if (m_event)
        m_event->synchronize();
}

Readback::Readback(const at::Tensor &source)
    : m_host(hostCopy(source)), m_arrived(source.device())
{
}

const at::Tensor &Readback::wait() const
{
    m_arrived.wait();
    return m_host;
}

Upload::Upload(const at::Device &device, std::int64_t pieceBytes)
    : m_device(device), m_pieceBytes(pieceBytes)
{
}

at::Tensor Upload::send(const at::Tensor &tensor)
{
    at::Tensor sent = at::empty(tensor.sizes(), tensor.options().device(m_device));
    if (tensor.numel() == 0)
        return sent;
    const at::Tensor from = bytesOf(tensor.contiguous()), to = bytesOf(sent);
    for (std::int64_t begin = 0; begin < from.numel(); begin += m_pieceBytes) {
        const std::int64_t count = std::min(m_pieceBytes, from.numel() - begin);
        Stage &stage = m_stages[m_next];
        m_next = (m_next + 1) % m_stages.size();
        if (!stage.bytes.defined())
            stage.bytes = hostBuffer({m_pieceBytes}, at::kByte, m_device);
        if (stage.fetched)
            stage.fetched->wait();
        const at::Tensor piece = stage.bytes.narrow(0, 0, count).copy_(from.narrow(0, begin, count));
        to.narrow(0, begin, count).copy_(piece, true);
        stage.fetched.emplace(m_device);
    }
    return sent;
}

} // namespace lens
