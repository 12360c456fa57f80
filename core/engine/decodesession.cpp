#include "engine/engine.h"
#include "engine/generation.h"
#include "engine/sequencerunner.h"
#include "engine/statefile.h"
#include "tensor/torchbridge.h"

namespace lens {

struct DecodeSession::Impl {
    LoadedModelPtr model;
    SequenceRunner runner;
};

DecodeSession::DecodeSession(std::unique_ptr<Impl> impl)
    : m_impl(std::move(impl))
{
}

DecodeSession::~DecodeSession() = default;

Result<std::unique_ptr<DecodeSession>> DecodeSession::create(LoadedModelPtr model)
{
    if (!model)
        return fail(ErrorCode::InvalidArgument, "there is no model to start a session with");
    auto runner = SequenceRunner::create(model->model());
    if (!runner)
        return propagate(runner);
    auto impl = std::make_unique<Impl>(Impl{std::move(model), std::move(*runner)});
    return std::unique_ptr<DecodeSession>(new DecodeSession(std::move(impl)));
}

const LoadedModelPtr &DecodeSession::model() const
{
    return m_impl->model;
}

Result<GenerationResult> DecodeSession::generate(std::span<const TokenId> promptIds, const GenerationOptions &options,
                                                 const GenerationCallbacks &callbacks, std::stop_token stop)
{
    return guarded(m_impl->model->info().name, [&] {
        return Generation(*m_impl->model, m_impl->runner, options, callbacks, std::move(stop)).run(promptIds);
    });
}

std::span<const TokenId> DecodeSession::tokens() const
{
    return m_impl->runner.ids();
}

std::uint64_t DecodeSession::stateBytes() const
{
    return m_impl->runner.state().bytes();
}

Result<void> DecodeSession::saveState(const std::string &file) const
{
    return saveStateFile(file, m_impl->runner, m_impl->model->info());
}

Result<void> DecodeSession::restoreState(const std::string &file)
{
    return restoreStateFile(file, m_impl->runner, m_impl->model->info());
}

void DecodeSession::clear()
{
    m_impl->runner.clear();
}

const char *name(StopReason reason)
{
    switch (reason) {
    case StopReason::EndOfText: return "end-of-text";
    case StopReason::MaxTokens: return "max-tokens";
    case StopReason::StopString: return "stop-string";
    case StopReason::Cancelled: return "cancelled";
    case StopReason::ContextFull: return "context-full";
    }
    return "unknown";
}

} // namespace lens
