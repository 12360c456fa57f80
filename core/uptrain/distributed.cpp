#include "uptrain/distributed.h"

#include "base/folders.h"
#include "tensor/torchbridge.h"
#include "uptrain/peerwatch.h"

#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <algorithm>
#include <c10/core/GradMode.h>
#include <charconv>
#include <csignal>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>

namespace lens {

namespace {

using c10d::ProcessGroupGloo;
using Future = PeerWatch::Future;

const std::string kWhere = "data-parallel training";
const std::string kAdvice = "start all processes again: the run resumes from its last checkpoint, with any number of them";

constexpr std::chrono::minutes kJoinPatience{2};
constexpr std::chrono::seconds kStorePatience{10};
// Waiting is ended by PeerWatch; a process may well evaluate for a while as the others wait.
constexpr std::chrono::hours kNoLimit{24};

Result<int> numberFrom(const char *variable, int least, int most)
{
    const std::string text = environmentVariable(variable);
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < least || value > most)
        return fail(ErrorCode::InvalidArgument,
                    text.empty() ? std::string("the environment variable is not set") : "\"" + text + "\" is not a number from "
                        + std::to_string(least) + " to " + std::to_string(most),
                    variable, "launch the processes with torchrun, or set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT");
    return value;
}

c10::intrusive_ptr<c10d::Store> openStore(const ProcessPlace &place, bool mayServe, std::chrono::milliseconds timeout)
{
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(place.port);
    options.isServer = mayServe && place.rank == 0 && !place.launcherKeepsStore;
    options.waitWorkers = false;
    options.timeout = timeout;
    const std::string prefix = "supralens/" + environmentVariable("TORCHELASTIC_RESTART_COUNT");
    return c10::make_intrusive<c10d::PrefixStore>(prefix, c10::make_intrusive<c10d::TCPStore>(place.address, options));
}

c10::intrusive_ptr<ProcessGroupGloo::Options> glooOptions(const ProcessPlace &place)
{
    auto options = ProcessGroupGloo::Options::create(kJoinPatience);
    const std::string interface = environmentVariable("GLOO_SOCKET_IFNAME");
    const bool local = place.address == "localhost" || place.address == "127.0.0.1" || place.address == "::1";
    options->devices.push_back(!interface.empty() ? ProcessGroupGloo::createDeviceForInterface(interface)
                               : local            ? ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                                  : ProcessGroupGloo::createDefaultDevice());
    return options;
}

/// Threads started meanwhile are not killed by writing to a process that is gone: Gloo's otherwise would be.
class SigPipeBlocked {
public:
    SigPipeBlocked()
    {
        sigset_t pipe;
        sigemptyset(&pipe);
        sigaddset(&pipe, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &pipe, &m_before);
    }
    ~SigPipeBlocked() { pthread_sigmask(SIG_SETMASK, &m_before, nullptr); }
    SigPipeBlocked(const SigPipeBlocked &) = delete;
    SigPipeBlocked &operator=(const SigPipeBlocked &) = delete;

private:
    sigset_t m_before;
};

/// Gloo waits for one process after the other without saying for whom.
void waitForAll(c10d::Store &store, int size)
{
    if (store.add("arrived", 1) == size)
        store.set("complete", "yes");
    try {
        store.wait({"complete"}, kJoinPatience);
    } catch (const c10::Error &) {
        const std::int64_t arrived = store.add("arrived", 0);
        TORCH_CHECK(false, "only ", arrived, " of ", size, " processes have arrived within two minutes");
    }
}

/// Sums a bucket of gradients. c10d's own hook divides by the number of processes, and waits for ever.
class SummingHook final : public c10d::CommHookInterface {
public:
    SummingHook(c10::intrusive_ptr<ProcessGroupGloo> gloo, PeerWatch &watch) : m_gloo(std::move(gloo)), m_watch(watch) {}

    Future runHook(c10d::GradBucket &bucket) override
    {
        std::vector<at::Tensor> buffers{bucket.getBufferRef()};
        return m_watch.guard(m_gloo->allreduce(buffers)->getFuture());
    }

    at::Tensor parseHookResult(const c10::IValue &result) override
    {
        return result.isTensor() ? result.toTensor() : result.toTensorVector().front();
    }

private:
    c10::intrusive_ptr<ProcessGroupGloo> m_gloo;
    PeerWatch &m_watch;
};

/// Rows [first, first + count) of a tensor with `rows` rows belong to `rank`.
std::pair<std::int64_t, std::int64_t> rowsOf(std::int64_t rows, int rank, int size)
{
    const std::int64_t first = rows * rank / size, end = rows * (rank + 1) / size;
    return {first, end - first};
}

at::Tensor rowsOf(const at::Tensor &whole, int rank, int size)
{
    if (whole.dim() == 0)
        return whole.detach();
    const auto [first, count] = rowsOf(whole.size(0), rank, size);
    return whole.detach().narrow(0, first, count);
}

} // namespace

Result<ProcessPlace> processPlace()
{
    ProcessPlace place;
    if (environmentVariable("WORLD_SIZE").empty())
        return place;
    const auto size = numberFrom("WORLD_SIZE", 1, 4096);
    if (!size)
        return propagate(size);
    place.size = *size;
    if (place.size == 1)
        return place;
    const auto rank = numberFrom("RANK", 0, place.size - 1);
    if (!rank)
        return propagate(rank);
    const auto port = numberFrom("MASTER_PORT", 1, 65535);
    if (!port)
        return propagate(port);
    place.rank = *rank;
    place.port = *port;
    place.address = environmentVariable("MASTER_ADDR");
    if (place.address.empty())
        return fail(ErrorCode::InvalidArgument, "the environment variable is not set", "MASTER_ADDR",
                    "launch the processes with torchrun, or set it to the host name of rank 0");
    place.launcherKeepsStore = environmentVariable("TORCHELASTIC_USE_AGENT_STORE") == "True";
    return place;
}

/// What is there when there are others. Once a process is lost, Gloo's threads may wait for ever: they are then left
/// behind instead of being joined.
class Distributed::Group {
public:
    explicit Group(const ProcessPlace &place);
    ~Group();

    int rank() const { return m_place.rank; }
    int size() const { return m_place.size; }

    /// After the last exchange.
    void leave();

    /// Runs f and, when it fails, finds out who is lost.
    template <class F>
    Result<void> collective(F &&f);
    void wait(const c10::intrusive_ptr<c10d::Work> &work);
    void backward(const std::vector<at::Tensor> &parameters, const std::function<void()> &run);
    void shareRows(const std::vector<at::Tensor> &wholes);

    ProcessGroupGloo &gloo() { return *m_gloo; }

private:
    bool keepsStore() const { return m_place.rank == 0 && !m_place.launcherKeepsStore; }
    at::Tensor packed(const std::vector<at::Tensor> &wholes, int rank) const;

    ProcessPlace m_place;
    c10::intrusive_ptr<c10d::Store> m_store;
    c10::intrusive_ptr<ProcessGroupGloo> m_gloo;
    c10::intrusive_ptr<c10d::ProcessGroup> m_group;  // what Reducer wants
    std::unique_ptr<PeerWatch> m_watch;
    bool m_failed = false;
    bool m_hasLeft = false;
};

Distributed::Group::Group(const ProcessPlace &place) : m_place(place), m_store(openStore(place, true, kJoinPatience))
{
    waitForAll(*m_store, place.size);
    const SigPipeBlocked sigPipeBlocked;
    m_gloo = c10::make_intrusive<ProcessGroupGloo>(m_store, place.rank, place.size, glooOptions(place));
    m_gloo->setTimeout(kNoLimit);
    m_group = c10::make_intrusive<c10d::ProcessGroup>(m_store, place.rank, place.size);
    m_group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO, m_gloo);
    m_group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
    m_watch = std::make_unique<PeerWatch>(openStore(place, false, kStorePatience), place.rank, place.size,
                                          place.launcherKeepsStore ? "the launcher" : "rank 0, which keeps the store,");
}

Distributed::Group::~Group()
{
    if (!m_hasLeft) {
        if (!m_failed)
            m_watch->announce("rank " + std::to_string(rank()) + " of " + std::to_string(size()) + " ended before the others");
        m_watch->stop();
        if (keepsStore())
            m_watch->seeOthersOff();
        // Work may still refer to the watch, and closing the group would wait for that work.
        static_cast<void>(m_group.release());
        static_cast<void>(m_gloo.release());
        static_cast<void>(m_watch.release());
    }
}

void Distributed::Group::leave()
{
    m_hasLeft = true;
    m_watch->stop();
    keepsStore() ? m_watch->seeOthersOff() : m_watch->signOff();
}

template <class F>
Result<void> Distributed::Group::collective(F &&f)
{
    try {
        f();
        return {};
    } catch (...) {
        Error error = currentExceptionAsError(kWhere);
        if (const auto loss = m_watch->loss()) {
            m_failed = true;
            error = {ErrorCode::Device, *loss, kWhere, kAdvice};
        }
        return tl::unexpected<Error>(error);
    }
}

void Distributed::Group::wait(const c10::intrusive_ptr<c10d::Work> &work)
{
    m_watch->guard(work->getFuture())->waitAndThrow();
}

void Distributed::Group::backward(const std::vector<at::Tensor> &parameters, const std::function<void()> &run)
{
    const std::vector<bool> dense(parameters.size(), false);
    const std::vector<std::size_t> limits{c10d::kDefaultFirstBucketBytes, c10d::kDefaultBucketBytesCap};
    auto buckets = std::get<0>(c10d::compute_bucket_assignment_by_size(parameters, limits, dense));
    std::reverse(buckets.begin(), buckets.end());  // the last parameters have their gradients first
    // One for each pass: kept longer it would assign its buckets anew after the first, and a resumed run would then add in
    // another order than one that was never interrupted.
    c10d::Reducer reducer(parameters, std::move(buckets), m_group, dense, c10d::kDefaultBucketBytesCap, false, true, {},
                          c10d::kDefaultFirstBucketBytes, false, false, {});
    reducer.register_comm_hook(std::make_unique<SummingHook>(m_gloo, *m_watch));
    reducer.prepare_for_backward({});
    run();
}

at::Tensor Distributed::Group::packed(const std::vector<at::Tensor> &wholes, int rank) const
{
    std::vector<at::Tensor> flat;
    for (const at::Tensor &whole : wholes)
        flat.push_back(rowsOf(whole, rank, size()).reshape({-1}));
    return at::cat(flat);
}

void Distributed::Group::shareRows(const std::vector<at::Tensor> &wholes)
{
    // Gloo gathers equal sizes only.
    std::int64_t longest = 0;
    for (int r = 0; r < size(); ++r) {
        std::int64_t elements = 0;
        for (const at::Tensor &whole : wholes)
            elements += rowsOf(whole, r, size()).numel();
        longest = std::max(longest, elements);
    }
    const at::Tensor own = packed(wholes, rank());
    std::vector<at::Tensor> sent{at::zeros({longest}, own.options())};
    sent[0].narrow(0, 0, own.size(0)).copy_(own);
    std::vector<std::vector<at::Tensor>> received{{}};
    for (int r = 0; r < size(); ++r)
        received[0].push_back(at::empty({longest}, own.options()));
    wait(m_gloo->allgather(received, sent));
    for (int r = 0; r < size(); ++r) {
        std::int64_t offset = 0;
        for (const at::Tensor &whole : wholes) {
            const at::Tensor rows = rowsOf(whole, r, size());
            if (r != rank())
                rows.copy_(received[0][static_cast<std::size_t>(r)].narrow(0, offset, rows.numel()).view_as(rows));
            offset += rows.numel();
        }
    }
}

Result<std::unique_ptr<Distributed>> Distributed::join(const ProcessPlace &place, const at::Device &device)
{
    if (place.size == 1)
        return std::unique_ptr<Distributed>(new Distributed(nullptr));
    if (!device.is_cpu())
        return fail(ErrorCode::Unsupported, "this build communicates between processors only (Gloo); NCCL, which joins GPUs, is not in its LibTorch",
                    kWhere, "train on the CPU, or in one process");
    return guarded(kWhere, [&]() -> Result<std::unique_ptr<Distributed>> {
        return std::unique_ptr<Distributed>(new Distributed(std::make_unique<Group>(place)));
    });
}

Distributed::Distributed(std::unique_ptr<Group> group) : m_group(std::move(group))
{
}

Distributed::~Distributed() = default;

int Distributed::rank() const
{
    return m_group ? m_group->rank() : 0;
}

int Distributed::size() const
{
    return m_group ? m_group->size() : 1;
}

Result<void> Distributed::barrier()
{
    return sum(at::zeros({1}));
}

Result<void> Distributed::broadcast(const std::vector<at::Tensor> &tensors)
{
    if (!m_group)
        return {};
    return m_group->collective([&] {
        for (const at::Tensor &tensor : tensors) {
            std::vector<at::Tensor> one{tensor.detach()};
            m_group->wait(m_group->gloo().broadcast(one));
        }
    });
}

Result<void> Distributed::sum(at::Tensor values)
{
    if (!m_group)
        return {};
    return m_group->collective([&] {
        std::vector<at::Tensor> one{values.detach()};
        m_group->wait(m_group->gloo().allreduce(one));
    });
}

Result<void> Distributed::summedBackward(const std::vector<at::Tensor> &parameters, const std::function<void()> &backward)
{
    if (m_group)
        return m_group->collective([&] { m_group->backward(parameters, backward); });
    return guarded("training", [&]() -> Result<void> {
        backward();
        return {};
    });
}

at::Tensor Distributed::ownRows(const at::Tensor &whole) const
{
    return rowsOf(whole, rank(), size());
}

Result<void> Distributed::shareRows(const std::vector<at::Tensor> &wholes)
{
    if (!m_group || wholes.empty())
        return {};
    const c10::NoGradGuard noGrad;
    std::vector<at::Tensor> split;
    for (const at::Tensor &whole : wholes)
        if (whole.dim() > 0)
            split.push_back(whole);
    return m_group->collective([&] { m_group->shareRows(split); });
}

Result<NamedTensors> Distributed::gatherRows(const NamedTensors &own)
{
    if (!m_group)
        return own;
    const c10::NoGradGuard noGrad;
    at::Tensor rows = at::zeros({static_cast<std::int64_t>(own.size())}, at::kLong);
    std::int64_t index = 0;
    for (const auto &[name, tensor] : own)
        rows[index++] = tensor.dim() > 0 ? tensor.size(0) : 0;
    if (auto summed = sum(rows); !summed)
        return propagate(summed);
    NamedTensors wholes;
    index = 0;
    for (const auto &[name, tensor] : own) {
        std::vector<std::int64_t> shape = tensor.sizes().vec();
        at::Tensor whole = tensor;
        if (!shape.empty()) {
            shape[0] = rows[index].item<std::int64_t>();
            whole = at::zeros(shape, tensor.options());
            ownRows(whole).copy_(tensor);
            if (auto shared = shareRows({whole}); !shared)
                return propagate(shared);
        }
        ++index;
        if (isFirst())
            wholes[name] = whole;
    }
    return wholes;
}

Result<void> Distributed::leave()
{
    if (!m_group)
        return {};
    if (auto together = barrier(); !together)
        return together;
    m_group->leave();
    return {};
}

} // namespace lens
