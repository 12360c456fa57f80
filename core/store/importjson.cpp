#include "store/connection.h"
#include "store/jsonforms.h"
#include "store/rows.h"
#include "store/transfer.h"

#include <map>

namespace lens {

namespace {

using nlohmann::json;

/// Carries an Error through the loops below; never leaves this file.
struct Refused {
    Error error;
};

template <class T>
T need(Result<T> result)
{
    if (!result)
        throw Refused{result.error()};
    if constexpr (!std::is_void_v<T>)
        return std::move(*result);
}

[[noreturn]] void refuse(const std::string &what)
{
    throw Refused{{ErrorCode::Malformed, what, {}, {}}};
}

template <class T>
T value(const json &object, const char *key)
{
    return object.at(key).get<T>();
}

/// Calls `body` with each element; what goes wrong is reported with its place.
template <class Body>
void each(const json &object, const char *key, Body &&body)
{
    const auto list = object.find(key);
    if (list == object.end())
        return;
    if (!list->is_array())
        refuse(std::string("'") + key + "' is not a list");
    for (std::size_t i = 0; i < list->size(); ++i) {
        const std::string place = std::string(key) + "[" + std::to_string(i) + "]";
        try {
            body((*list)[i]);
        } catch (const json::exception &exception) {
            throw Refused{{ErrorCode::Malformed, exception.what(), place, {}}};
        } catch (Refused &refused) {
            Error &error = refused.error;
            error.where = error.where.find('[') == std::string::npos ? place : place + "." + error.where;
            throw;
        }
    }
}

std::vector<float> floats(const json &object, const char *key)
{
    std::vector<float> values;
    for (const json &item : object.at(key))
        values.push_back(static_cast<float>(numberFromJson(item)));
    return values;
}

StoredToken tokenFromJson(const json &object)
{
    StoredToken token;
    token.id = value<std::int32_t>(object, "id");
    token.text = value<std::string>(object, "text");
    token.logprob = static_cast<float>(numberFromJson(object.at("logprob")));
    token.seconds = numberFromJson(object.at("seconds"));
    token.stateBytes = value<std::uint64_t>(object, "state_bytes");
    each(object, "alternatives", [&](const json &other) {
        token.alternatives.push_back({value<std::int32_t>(other, "id"), value<std::string>(other, "text"),
                                      static_cast<float>(numberFromJson(other.at("logprob")))});
    });
    return token;
}

/// The rows of one document under new ids.
class Importer {
public:
    explicit Importer(Workspace &workspace) : m_workspace(workspace) {}

    RowId session(const json &document)
    {
        each(document, "models", [&](const json &model) { addModel(model); });
        addSession(document.at("session"));
        each(document, "columns", [&](const json &column) { addColumn(column); });
        each(document, "turns", [&](const json &turn) { addTurn(turn); });
        each(document, "generations", [&](const json &generation) { addGeneration(generation); });
        each(document, "turns", [&](const json &turn) { linkAnswers(turn); });
        each(document, "comparisons", [&](const json &comparison) { addComparison(comparison); });
        const json &session = document.at("session");
        if (const RowId current = value<RowId>(session, "current_turn"); current != 0)
            need(m_workspace.sessions().setCurrentTurn(m_session, renamed(m_turns, current, "turn")));
        connection().execute("UPDATE sessions SET created = ?2, modified = ?3, archived = ?4 WHERE id = ?1", m_session,
                             value<Milliseconds>(session, "created"), value<Milliseconds>(session, "modified"),
                             session.value("archived", false) ? 1 : 0);
        return m_session;
    }

private:
    using Ids = std::map<RowId, RowId>;

    Connection &connection() { return m_workspace.connection(); }

    static RowId renamed(const Ids &ids, RowId old, const char *what)
    {
        const auto found = ids.find(old);
        if (found == ids.end())
            refuse(std::string("there is no ") + what + " " + std::to_string(old) + " before this");
        return found->second;
    }

    static void remember(Ids &ids, RowId old, RowId fresh)
    {
        if (!ids.emplace(old, fresh).second)
            refuse("id " + std::to_string(old) + " occurs twice");
    }

    /// A model that this workspace knows keeps its own facts.
    void addModel(const json &object)
    {
        const ModelInfo info = need(modelInfoFromJson(object.at("info")));
        RowId id = 0;
        for (const ModelRow &known : need(m_workspace.models().list())) {
            if (known.info.fingerprint == info.fingerprint && known.info.path == info.path)
                id = known.id;
        }
        remember(m_models, value<RowId>(object, "id"), id != 0 ? id : need(m_workspace.models().record(info)));
    }

    void addSession(const json &object)
    {
        m_session = need(m_workspace.sessions().create(value<std::string>(object, "title"), {},
                                                       object.value("system_prompt", std::string())));
    }

    void addColumn(const json &object)
    {
        ColumnRow column;
        column.session = m_session;
        if (const RowId model = value<RowId>(object, "model"); model != 0)
            column.model = renamed(m_models, model, "model");
        column.device = value<std::string>(object, "device");
        column.dtype = value<std::string>(object, "dtype");
        if (const auto prompt = object.find("system_prompt"); prompt != object.end())
            column.systemPrompt = prompt->get<std::string>();
        column.options = need(optionsFromJson(object.at("options")));
        const RowId id = need(m_workspace.sessions().addColumn(column));
        if (object.value("removed", false))
            need(m_workspace.sessions().removeColumn(id));
        remember(m_columns, value<RowId>(object, "id"), id);
    }

    void addTurn(const json &object)
    {
        TurnRow turn;
        turn.session = m_session;
        if (const RowId parent = value<RowId>(object, "parent"); parent != 0)
            turn.parent = renamed(m_turns, parent, "turn");
        turn.prompt = value<std::string>(object, "prompt");
        each(object, "overrides", [&](const json &override) {
            turn.overrides.push_back({renamed(m_columns, value<RowId>(override, "column"), "column"),
                                      value<std::string>(override, "prompt")});
        });
        const RowId id = need(m_workspace.sessions().addTurn(turn));
        connection().execute("UPDATE turns SET created = ?2 WHERE id = ?1", id, value<Milliseconds>(object, "created"));
        remember(m_turns, value<RowId>(object, "id"), id);
    }

    void addGeneration(const json &object)
    {
        GenerationStart start;
        start.turn = renamed(m_turns, value<RowId>(object, "turn"), "turn");
        start.column = renamed(m_columns, value<RowId>(object, "column"), "column");
        start.model = renamed(m_models, value<RowId>(object, "model"), "model");
        start.modelFingerprint = value<std::string>(object, "fingerprint");
        start.device = value<std::string>(object, "device");
        start.dtype = value<std::string>(object, "dtype");
        start.build = value<std::string>(object, "build");
        start.options = need(optionsFromJson(object.at("options")));
        start.promptIds = object.value("prompt_ids", std::vector<std::int32_t>());
        const RowId id = need(m_workspace.generations().begin(start));
        remember(m_generations, value<RowId>(object, "id"), id);
        std::vector<StoredToken> tokens;
        each(object, "tokens", [&](const json &token) { tokens.push_back(tokenFromJson(token)); });
        need(m_workspace.generations().finish(id, outcome(object), tokens));
        each(object, "probes", [&](const json &probe) {
            need(m_workspace.probes().append(
                id, {value<std::string>(probe, "kind"), value<std::int64_t>(probe, "first_token"),
                     value<std::int64_t>(probe, "tokens"), value<std::vector<std::int64_t>>(probe, "shape"),
                     floats(probe, "values")}));
        });
        connection().execute("UPDATE generations SET started = ?2, stored = ?3 WHERE id = ?1", id,
                             value<Milliseconds>(object, "started"), value<Milliseconds>(object, "finished"));
    }

    static GenerationOutcome outcome(const json &object)
    {
        GenerationOutcome outcome;
        outcome.status = need(statusFromName(value<std::string>(object, "status")));
        if (outcome.status == GenerationStatus::Running)
            outcome.status = GenerationStatus::Interrupted;
        outcome.stopReason = value<std::string>(object, "stop_reason");
        outcome.error = value<std::string>(object, "error");
        outcome.text = value<std::string>(object, "text");
        outcome.prefillSeconds = numberFromJson(object.at("prefill_seconds"));
        outcome.decodeSeconds = numberFromJson(object.at("decode_seconds"));
        outcome.firstTokenSeconds = numberFromJson(object.at("first_token_seconds"));
        outcome.reusedTokens = value<std::int64_t>(object, "reused_tokens");
        outcome.stateBytes = value<std::uint64_t>(object, "state_bytes");
        return outcome;
    }

    /// What each turn shows, which of several generations that may be; shared answers come from older turns.
    void linkAnswers(const json &object)
    {
        const RowId turn = renamed(m_turns, value<RowId>(object, "id"), "turn");
        connection().execute("DELETE FROM answers WHERE turn = ?1", turn);
        each(object, "answers", [&](const json &answer) {
            const RowId column = renamed(m_columns, value<RowId>(answer, "column"), "column");
            const RowId generation = renamed(m_generations, value<RowId>(answer, "generation"), "generation");
            const int added =
                connection().execute("INSERT INTO answers (turn, column_id, generation) "
                                     "SELECT ?1, ?2, id FROM generations WHERE id = ?3 AND column_id = ?2",
                                     turn, column, generation);
            if (added == 0)
                refuse("the generation is not of that column");
        });
    }

    void addComparison(const json &object)
    {
        StoredComparison comparison;
        comparison.first = renamed(m_generations, value<RowId>(object, "first"), "generation");
        comparison.second = renamed(m_generations, value<RowId>(object, "second"), "generation");
        comparison.ids = value<std::vector<std::int32_t>>(object, "ids");
        comparison.values = {floats(object, "kl"), floats(object, "nll_first"), floats(object, "nll_second"),
                             value<std::vector<std::uint8_t>>(object, "same_top")};
        need(m_workspace.generations().saveComparison(comparison));
    }

    Workspace &m_workspace;
    RowId m_session = 0;
    Ids m_models, m_columns, m_turns, m_generations;
};

Result<void> checkFormat(const json &document)
{
    if (!document.is_object() || document.value("format", json()) != "supralens-session")
        return fail(ErrorCode::Malformed, "this is not an exported session", {},
                    "choose a file that was written by exporting a session as JSON");
    const json version = document.value("version", json());
    if (!version.is_number_integer() || version < 1)
        return fail(ErrorCode::Malformed, "the document has no version");
    if (version > 1)
        return fail(ErrorCode::NewerVersion, "the session was exported by a newer release", {},
                    "import it with that release");
    return {};
}

} // namespace

Result<RowId> importSessionJson(Workspace &workspace, std::string_view text)
{
    const auto document = parseJson(text);
    if (!document)
        return propagate(document);
    if (const auto known = checkFormat(*document); !known)
        return propagate(known);
    return workspace.connection().write([&]() -> Result<RowId> {
        try {
            return Importer(workspace).session(*document);
        } catch (const Refused &refused) {
            return tl::unexpected<Error>(refused.error);
        } catch (const json::exception &exception) {
            return fail(ErrorCode::Malformed, exception.what(), "session");
        }
    });
}

} // namespace lens
