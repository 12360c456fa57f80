#include "bridge/sessionloader.h"

#include "bridge/format.h"

#include <algorithm>
#include <iterator>

namespace lens {
namespace {

std::optional<StopReason> stopReason(const std::string &stored)
{
    for (const StopReason reason : {StopReason::EndOfText, StopReason::MaxTokens, StopReason::StopString,
                                    StopReason::Cancelled, StopReason::ContextFull}) {
        if (stored == name(reason))
            return reason;
    }
    return {};
}

Result<ColumnAnswer> answerOf(Workspace &workspace, RowId generation)
{
    const auto row = workspace.generations().get(generation);
    if (!row)
        return propagate(row);
    const auto tokens = workspace.generations().tokens(generation);
    if (!tokens)
        return propagate(tokens);
    ColumnAnswer answer;
    answer.generation = generation;
    answer.text = text(row->text);
    answer.options = row->options;
    answer.madeBy = text(row->modelFingerprint);
    answer.interrupted = row->status == GenerationStatus::Interrupted;
    answer.reason = stopReason(row->stopReason);
    qint64 position = row->promptTokens;
    for (const StoredToken &token : *tokens) {
        ShownToken shown{token.id, text(token.text), position++, token.logprob, {}};
        for (const StoredAlternative &alternative : token.alternatives)
            shown.alternatives.push_back({alternative.id, alternative.text, alternative.logprob});
        answer.tokens.push_back(std::move(shown));
    }
    answer.cost.contextTokens = position;
    answer.cost.stateBytes = row->stateBytes;
    answer.cost.firstTokenSeconds = row->firstTokenSeconds;
    if (row->decodeSeconds > 0 && tokens->size() > 1)
        answer.cost.tokensPerSecond = double(tokens->size() - 1) / row->decodeSeconds;
    return answer;
}

Result<OpenedColumn> openColumn(Workspace &workspace, const ColumnRow &row, const std::vector<TurnRow> &turns)
{
    OpenedColumn column;
    column.row = row.id;
    column.modelRow = row.model;
    if (row.model != 0) {
        const auto model = workspace.models().get(row.model);
        if (!model)
            return propagate(model);
        column.model = model->info;
    }
    for (const TurnRow &turn : turns) {
        const auto answer = std::find_if(turn.answers.begin(), turn.answers.end(),
                                         [&row](const Answer &a) { return a.column == row.id; });
        Exchange exchange;
        exchange.turn = turn.id;
        exchange.parent = turn.parent;
        exchange.prompt = text(turn.promptFor(row.id));
        if (answer != turn.answers.end()) {
            auto loaded = answerOf(workspace, answer->generation);
            if (!loaded)
                return propagate(loaded);
            exchange.answer = std::move(*loaded);
        } else if (!turn.answers.empty()) {
            continue;
        }
        column.exchanges.push_back(std::move(exchange));
    }
    const RowId last = column.exchanges.empty() ? 0 : column.exchanges.back().answer.generation;
    if (last != 0) {
        if (auto ids = workspace.generations().promptIds(last))
            column.promptIds = std::move(*ids);
        for (const HeadQuantity quantity : {HeadQuantity::StateNorm, HeadQuantity::Retention})
            if (auto frame = workspace.probes().heads(last, quantity); frame && frame->tokens > 0)
                column.frames.push_back(std::move(*frame));
    }
    return column;
}

} // namespace

Result<OpenedSession> openSession(Workspace &workspace, RowId session)
{
    const auto row = workspace.sessions().get(session);
    if (!row)
        return propagate(row);
    OpenedSession opened;
    opened.session = session;
    opened.turn = row->currentTurn;
    opened.title = text(row->title);
    opened.systemPrompt = text(row->systemPrompt);
    std::vector<TurnRow> turns;
    if (row->currentTurn != 0) {
        auto branch = workspace.sessions().branch(row->currentTurn);
        if (!branch)
            return propagate(branch);
        turns = std::move(*branch);
    }
    const auto columns = workspace.sessions().columns(session);
    if (!columns)
        return propagate(columns);
    for (const ColumnRow &columnRow : *columns) {
        auto column = openColumn(workspace, columnRow, turns);
        if (!column)
            return propagate(column);
        opened.options = columnRow.options;
        opened.columns.push_back(std::move(*column));
    }
    return opened;
}

} // namespace lens
