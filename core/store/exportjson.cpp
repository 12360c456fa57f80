#include "store/connection.h"
#include "store/jsonforms.h"
#include "store/transfer.h"

#include <set>

namespace lens {

namespace {

using nlohmann::json;

template <class T>
json numbers(const std::vector<T> &values)
{
    json list = json::array();
    for (const T value : values)
        list.push_back(numberToJson(value));
    return list;
}

json tokenToJson(const StoredToken &token)
{
    json alternatives = json::array();
    for (const StoredAlternative &other : token.alternatives)
        alternatives.push_back({{"id", other.id}, {"text", other.text}, {"logprob", numberToJson(other.logprob)}});
    return {{"id", token.id},
            {"text", token.text},
            {"logprob", numberToJson(token.logprob)},
            {"seconds", numberToJson(token.seconds)},
            {"state_bytes", token.stateBytes},
            {"alternatives", alternatives}};
}

json columnToJson(const ColumnRow &column)
{
    json object = {{"id", column.id},       {"model", column.model},     {"device", column.device},
                   {"dtype", column.dtype}, {"removed", column.removed}, {"options", toJson(column.options)}};
    if (column.systemPrompt)
        object["system_prompt"] = *column.systemPrompt;
    return object;
}

json turnToJson(const TurnRow &turn)
{
    json overrides = json::array();
    for (const PromptOverride &override : turn.overrides)
        overrides.push_back({{"column", override.column}, {"prompt", override.prompt}});
    json answers = json::array();
    for (const Answer &answer : turn.answers)
        answers.push_back({{"column", answer.column}, {"generation", answer.generation}});
    return {{"id", turn.id},           {"parent", turn.parent},  {"prompt", turn.prompt},
            {"created", turn.created}, {"overrides", overrides}, {"answers", answers}};
}

json generationToJson(const GenerationRow &row)
{
    return {{"id", row.id},
            {"turn", row.turn},
            {"column", row.column},
            {"model", row.model},
            {"fingerprint", row.modelFingerprint},
            {"device", row.device},
            {"dtype", row.dtype},
            {"build", row.build},
            {"options", toJson(row.options)},
            {"started", row.started},
            {"finished", row.finished},
            {"status", name(row.status)},
            {"stop_reason", row.stopReason},
            {"error", row.error},
            {"text", row.text},
            {"token_count", row.tokens},
            {"prefill_seconds", numberToJson(row.prefillSeconds)},
            {"decode_seconds", numberToJson(row.decodeSeconds)},
            {"first_token_seconds", numberToJson(row.firstTokenSeconds)},
            {"reused_tokens", row.reusedTokens},
            {"state_bytes", row.stateBytes}};
}

class Exporter {
public:
    Exporter(Workspace &workspace, const ExportOptions &options) : m_workspace(workspace), m_options(options) {}

    Result<json> session(RowId id)
    {
        const auto content = m_workspace.sessions().content(id);
        if (!content)
            return propagate(content);
        json document = {{"format", "supralens-session"}, {"version", 1}};
        document["session"] = {
            {"title", content->session.title},       {"system_prompt", content->session.systemPrompt},
            {"created", content->session.created},   {"modified", content->session.modified},
            {"archived", content->session.archived}, {"current_turn", content->session.currentTurn}};
        document["columns"] = json::array();
        for (const ColumnRow &column : content->columns)
            document["columns"].push_back(columnToJson(column));
        document["turns"] = json::array();
        for (const TurnRow &turn : content->turns)
            document["turns"].push_back(turnToJson(turn));
        if (const auto added = addModels(*content, document); !added)
            return propagate(added);
        if (const auto added = addGenerations(*content, document); !added)
            return propagate(added);
        return document;
    }

private:
    Result<void> addModels(const SessionContent &content, json &document)
    {
        std::set<RowId> used;
        for (const ColumnRow &column : content.columns)
            used.insert(column.model);
        for (const GenerationRow &generation : content.generations)
            used.insert(generation.model);
        used.erase(0);
        document["models"] = json::array();
        for (const RowId id : used) {
            const auto model = m_workspace.models().get(id);
            if (!model)
                return propagate(model);
            document["models"].push_back({{"id", id}, {"info", toJson(model->info)}});
        }
        return {};
    }

    Result<void> addGenerations(const SessionContent &content, json &document)
    {
        document["generations"] = json::array();
        document["comparisons"] = json::array();
        for (const GenerationRow &row : content.generations) {
            json object = generationToJson(row);
            const auto added = addTokens(row.id, object);
            if (!added)
                return added;
            if (const auto probes = addProbes(row.id, object); !probes)
                return probes;
            document["generations"].push_back(std::move(object));
        }
        return addComparisons(content, document);
    }

    Result<void> addTokens(RowId generation, json &object)
    {
        if (!m_options.tokens)
            return {};
        const auto ids = m_workspace.generations().promptIds(generation);
        if (!ids)
            return propagate(ids);
        object["prompt_ids"] = *ids;
        const auto tokens = m_workspace.generations().tokens(generation);
        if (!tokens)
            return propagate(tokens);
        object["tokens"] = json::array();
        for (const StoredToken &token : *tokens)
            object["tokens"].push_back(tokenToJson(token));
        return {};
    }

    Result<void> addProbes(RowId generation, json &object)
    {
        if (!m_options.probes)
            return {};
        const auto kinds = m_workspace.probes().kinds(generation);
        if (!kinds)
            return propagate(kinds);
        object["probes"] = json::array();
        for (const std::string &kind : *kinds) {
            const auto chunks = m_workspace.probes().chunks(generation, kind);
            if (!chunks)
                return propagate(chunks);
            for (const ProbeChunk &chunk : *chunks)
                object["probes"].push_back({{"kind", kind},
                                            {"first_token", chunk.firstToken},
                                            {"tokens", chunk.tokens},
                                            {"shape", chunk.shape},
                                            {"values", numbers(chunk.values)}});
        }
        return {};
    }

    Result<void> addComparisons(const SessionContent &content, json &document)
    {
        if (!m_options.tokens)
            return {};
        for (const GenerationRow &first : content.generations) {
            const auto comparisons = m_workspace.generations().comparisons(first.id);
            if (!comparisons)
                return propagate(comparisons);
            for (const StoredComparison &comparison : *comparisons)
                document["comparisons"].push_back({{"first", comparison.first},
                                                   {"second", comparison.second},
                                                   {"ids", comparison.ids},
                                                   {"kl", numbers(comparison.values.kl)},
                                                   {"nll_first", numbers(comparison.values.nllFirst)},
                                                   {"nll_second", numbers(comparison.values.nllSecond)},
                                                   {"same_top", comparison.values.sameTop},
                                                   {"created", comparison.created}});
        }
        return {};
    }

    Workspace &m_workspace;
    const ExportOptions &m_options;
};

} // namespace

Result<std::string> exportSessionJson(Workspace &workspace, RowId session, const ExportOptions &options)
{
    return workspace.connection().read([&]() -> Result<std::string> {
        const auto document = Exporter(workspace, options).session(session);
        if (!document)
            return propagate(document);
        return dumpJson(*document, 1) + "\n";
    });
}

} // namespace lens
