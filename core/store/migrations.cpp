#include "store/migrations.h"

#include "store/filecheck.h"

#include <array>
#include <string>

namespace lens {

namespace {

// Version 1. docs/formats.md describes the tables.
constexpr const char *schema1 = R"sql(
CREATE TABLE models (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint TEXT NOT NULL,
    path TEXT NOT NULL,
    info TEXT NOT NULL,
    added INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    UNIQUE (fingerprint, path)
) STRICT;

CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    system_prompt TEXT NOT NULL,
    current_turn INTEGER REFERENCES turns (id) ON DELETE SET NULL,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    archived INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX sessions_by_change ON sessions (modified DESC, id DESC);
CREATE INDEX sessions_by_turn ON sessions (current_turn);

CREATE TABLE session_columns (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    model INTEGER REFERENCES models (id),
    device TEXT NOT NULL,
    dtype TEXT NOT NULL,
    system_prompt TEXT,
    options TEXT NOT NULL,
    removed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX columns_by_session ON session_columns (session, position);
CREATE INDEX columns_by_model ON session_columns (model);

CREATE TABLE turns (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    parent INTEGER REFERENCES turns (id) DEFERRABLE INITIALLY DEFERRED,
    prompt TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX turns_by_parent ON turns (session, parent);
CREATE INDEX turns_by_turn ON turns (parent);

CREATE TABLE prompt_overrides (
    turn INTEGER NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    column_id INTEGER NOT NULL REFERENCES session_columns (id) ON DELETE CASCADE,
    prompt TEXT NOT NULL,
    PRIMARY KEY (turn, column_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX overrides_by_column ON prompt_overrides (column_id);

CREATE TABLE generations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    turn INTEGER NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    column_id INTEGER NOT NULL REFERENCES session_columns (id) ON DELETE CASCADE,
    model INTEGER NOT NULL REFERENCES models (id),
    fingerprint TEXT NOT NULL,
    device TEXT NOT NULL,
    dtype TEXT NOT NULL,
    build TEXT NOT NULL,
    options TEXT NOT NULL,
    started INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    status TEXT NOT NULL,
    stop_reason TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    prompt_tokens INTEGER NOT NULL,
    tokens INTEGER NOT NULL DEFAULT 0,
    prefill_seconds REAL NOT NULL DEFAULT 0,
    decode_seconds REAL NOT NULL DEFAULT 0,
    first_token_seconds REAL NOT NULL DEFAULT 0,
    reused_tokens INTEGER NOT NULL DEFAULT 0,
    state_bytes INTEGER NOT NULL DEFAULT 0,
    text TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX generations_by_turn ON generations (turn);
CREATE INDEX generations_by_column ON generations (column_id);
CREATE INDEX generations_by_model ON generations (model);
CREATE INDEX generations_running ON generations (id) WHERE status = 'running';

CREATE TABLE answers (
    turn INTEGER NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    column_id INTEGER NOT NULL REFERENCES session_columns (id) ON DELETE CASCADE,
    generation INTEGER NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
    PRIMARY KEY (turn, column_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX answers_by_column ON answers (column_id);
CREATE INDEX answers_by_generation ON answers (generation);

CREATE TABLE generation_prompts (
    generation INTEGER PRIMARY KEY REFERENCES generations (id) ON DELETE CASCADE,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE token_batches (
    generation INTEGER NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (generation, first)
) STRICT;

CREATE TABLE probe_chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    generation INTEGER NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    first_token INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    shape TEXT NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE INDEX probes_by_generation ON probe_chunks (generation, kind, id);

CREATE TABLE comparisons (
    first_generation INTEGER NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
    second_generation INTEGER NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (first_generation, second_generation)
) STRICT;
CREATE INDEX comparisons_by_second ON comparisons (second_generation);

CREATE TABLE blobs (
    hash TEXT PRIMARY KEY,
    media_type TEXT NOT NULL,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE search_index USING fts5 (
    text, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);
)sql";

// Version 2: training runs. SQLite keeps a NaN as NULL: a loss or a norm that was not a number is one.
constexpr const char *schema2 = R"sql(
CREATE TABLE training_runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    folder TEXT NOT NULL,
    name TEXT NOT NULL,
    recipe TEXT NOT NULL,
    total_steps INTEGER NOT NULL,
    build TEXT NOT NULL,
    started INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    status TEXT NOT NULL,
    message TEXT NOT NULL DEFAULT '',
    notes TEXT NOT NULL DEFAULT '',
    fingerprint TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX training_running ON training_runs (id) WHERE status = 'running';

CREATE TABLE training_steps (
    run INTEGER NOT NULL REFERENCES training_runs (id) ON DELETE CASCADE,
    step INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    loss REAL,
    gradient_norm REAL,
    learning_rate REAL,
    tokens INTEGER NOT NULL,
    seconds REAL,
    tokens_per_second REAL,
    skipped INTEGER NOT NULL,
    PRIMARY KEY (run, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE training_evaluations (
    run INTEGER NOT NULL REFERENCES training_runs (id) ON DELETE CASCADE,
    step INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    perplexity REAL,
    original_perplexity REAL,
    PRIMARY KEY (run, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE training_layers (
    run INTEGER NOT NULL REFERENCES training_runs (id) ON DELETE CASCADE,
    step INTEGER NOT NULL,
    layers INTEGER NOT NULL,
    heads INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (run, step)
) STRICT;

CREATE TABLE training_samples (
    run INTEGER NOT NULL REFERENCES training_runs (id) ON DELETE CASCADE,
    step INTEGER NOT NULL,
    prompt TEXT NOT NULL,
    text TEXT NOT NULL,
    original_text TEXT NOT NULL,
    PRIMARY KEY (run, step, prompt)
) STRICT, WITHOUT ROWID;

CREATE TABLE training_notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL REFERENCES training_runs (id) ON DELETE CASCADE,
    step INTEGER NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (run, step, text)
) STRICT;
)sql";

constexpr std::array history{Migration{1, schema1}, Migration{2, schema2}};

} // namespace

std::span<const Migration> migrations()
{
    return history;
}

Result<int> schemaVersion(Connection &connection)
{
    return connection.read([&]() -> Result<int> {
        SQLite::Statement statement = connection.prepare("PRAGMA user_version");
        statement.executeStep();
        return statement.getColumn(0).getInt();
    });
}

Result<void> migrate(Connection &connection, std::span<const Migration> steps)
{
    const Result<int> present = schemaVersion(connection);
    if (!present)
        return propagate(present);
    const int newest = steps.empty() ? 0 : steps.back().version;
    if (*present > newest)
        return fail(ErrorCode::NewerVersion,
                    "the workspace has format " + std::to_string(*present) + ", this release knows up to " +
                        std::to_string(newest),
                    connection.path(), "open it with the release that wrote it, or a newer one");
    if (*present == newest)
        return {};
    return connection.write([&]() -> Result<void> {
        for (const Migration &step : steps) {
            if (step.version > *present)
                connection.database().exec(step.sql);
        }
        connection.database().exec("PRAGMA application_id = " + std::to_string(workspaceApplicationId));
        connection.database().exec("PRAGMA user_version = " + std::to_string(newest));
        return {};
    });
}

} // namespace lens
