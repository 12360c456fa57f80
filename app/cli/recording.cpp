#include "cli/recording.h"

#include "cli/version.h"

namespace lens::cli {

Result<std::unique_ptr<Recording>> Recording::begin(const std::string &file, const std::string &title,
                                                    const std::vector<ComparedColumn> &columns,
                                                    const CommonOptions &common, const Comparison &comparison)
{
    Result<std::unique_ptr<Workspace>> workspace = Workspace::open(file);
    if (!workspace)
        return propagate(workspace);
    std::unique_ptr<Recording> recording(new Recording(std::move(*workspace)));
    std::vector<ColumnRow> rows;
    for (const ComparedColumn &column : columns) {
        const Result<RowId> model = recording->m_workspace->models().record(column.model->info());
        if (!model)
            return propagate(model);
        recording->m_models.push_back(*model);
        ColumnRow row;
        row.model = *model;
        row.device = common.load.device;
        row.dtype = common.load.dtype;
        row.options = comparison.options;
        rows.push_back(std::move(row));
    }
    SessionStore &sessions = recording->m_workspace->sessions();
    const Result<RowId> session = sessions.create(title, rows, comparison.system);
    if (!session)
        return propagate(session);
    recording->m_session = *session;
    const Result<std::vector<ColumnRow>> stored = sessions.columns(*session);
    if (!stored)
        return propagate(stored);
    for (const ColumnRow &row : *stored)
        recording->m_columns.push_back(row.id);
    return recording;
}

Result<void> Recording::beginTurn(const std::string &prompt)
{
    TurnRow turn;
    turn.session = m_session;
    turn.parent = m_turn;
    turn.prompt = prompt;
    const Result<RowId> added = m_workspace->sessions().addTurn(turn);
    if (!added)
        return propagate(added);
    m_turn = *added;
    m_generations.assign(m_columns.size(), 0);
    return {};
}

Result<void> Recording::beginGeneration(std::size_t column, const LoadedModel &model, const GenerationOptions &options,
                                        std::span<const TokenId> promptIds)
{
    GenerationStart start;
    start.turn = m_turn;
    start.column = m_columns[column];
    start.model = m_models[column];
    start.modelFingerprint = model.info().fingerprint;
    start.device = model.info().device;
    start.dtype = model.info().dtype;
    start.build = version;
    start.options = options;
    start.promptIds.assign(promptIds.begin(), promptIds.end());
    const Result<RowId> generation = m_workspace->generations().begin(start);
    if (!generation)
        return propagate(generation);
    m_generations[column] = *generation;
    m_writer.emplace(m_workspace->generations(), *generation);
    m_firstError.reset();
    return {};
}

void Recording::token(const TokenEvent &event)
{
    StoredToken token{event.id, event.text, event.logprob, {}, event.seconds, event.stateBytes};
    for (const TokenAlternative &alternative : event.alternatives)
        token.alternatives.push_back({alternative.id, alternative.text, alternative.logprob});
    if (const Result<void> stored = m_writer->append(std::move(token)); !stored && !m_firstError)
        m_firstError = stored.error();
}

void Recording::norms(const HeadFrame &frame)
{
    if (const Result<void> stored = m_writer->append(frame); !stored && !m_firstError)
        m_firstError = stored.error();
}

Result<void> Recording::finishGeneration(const Result<GenerationResult> &result)
{
    GenerationOutcome outcome;
    if (result) {
        outcome.status =
            result->reason == StopReason::Cancelled ? GenerationStatus::Cancelled : GenerationStatus::Complete;
        outcome.stopReason = name(result->reason);
        outcome.text = result->text;
        outcome.prefillSeconds = result->prefillSeconds;
        outcome.decodeSeconds = result->decodeSeconds;
        outcome.firstTokenSeconds = result->firstTokenSeconds;
        outcome.reusedTokens = result->reusedTokens;
        outcome.stateBytes = result->stateBytes;
    } else {
        outcome.status =
            result.error().code == ErrorCode::Cancelled ? GenerationStatus::Cancelled : GenerationStatus::Failed;
        outcome.error = toString(result.error());
    }
    const Result<void> finished = m_writer->finish(outcome);
    m_writer.reset();
    if (finished && m_firstError)
        return tl::unexpected<Error>(*m_firstError);
    return finished;
}

Result<void> Recording::saveComparison(const PairResult &pair, std::span<const TokenId> ids)
{
    const RowId first = m_generations.front();
    const RowId second = m_generations[pair.second];
    if (first == 0 || second == 0 || pair.forced.kl.empty())
        return {};
    StoredComparison comparison;
    comparison.first = first;
    comparison.second = second;
    comparison.ids.assign(ids.begin(), ids.end());
    comparison.values = pair.forced;
    return m_workspace->generations().saveComparison(comparison);
}

} // namespace lens::cli
