// The rows of a workspace as plain data. Every id is the row's own, counts from 1 and is never used twice; 0 is "none".
// Times are milliseconds since 1970 UTC. Texts are UTF-8.
#pragma once

#include "engine/modelinfo.h"
#include "engine/sampling.h"
#include "probe/frames.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lens {

using RowId = std::int64_t;
using Milliseconds = std::int64_t;

/// A model that was used. `info.fingerprint` says which weights; `info.path` the specification to load it again
/// with; `info.origin` and `info.licence` where it comes from.
struct ModelRow {
    RowId id = 0;
    ModelInfo info;
    Milliseconds added = 0;
    Milliseconds lastUsed = 0;
};

struct SessionRow {
    RowId id = 0;
    std::string title;
    std::string systemPrompt; ///< for all columns that do not set their own
    RowId currentTurn = 0;    ///< leaf of the branch that is shown; 0 before the first turn
    Milliseconds created = 0;
    Milliseconds modified = 0; ///< last change of the session or anything in it
    bool archived = false;
    Milliseconds deleted = 0; ///< when it was put into the bin; 0 = it is not there
};

/// A session as a list shows it.
struct SessionSummary {
    SessionRow session;
    std::vector<std::string> models; ///< names, by column
    std::int64_t turns = 0;          ///< of all branches
    std::string firstPrompt;         ///< at most 200 bytes, cut between characters
};

enum class SessionFilter { Active, Archived, Deleted };

/// Which part of the list: newest first.
struct SessionQuery {
    SessionFilter filter = SessionFilter::Active;
    std::int64_t offset = 0;
    std::int64_t limit = 100;
};

/// One model's column of a session.
struct ColumnRow {
    RowId id = 0;
    RowId session = 0;
    std::int64_t position = 0;   ///< from the left, from 0; of the columns that are not removed
    RowId model = 0;             ///< 0 = not chosen yet
    std::string device = "auto"; ///< as wished; what was used is with each generation
    std::string dtype = "auto";
    std::optional<std::string> systemPrompt; ///< instead of the session's
    GenerationOptions options;
    bool removed = false; ///< closed by the user; kept because generations refer to it
};

struct PromptOverride {
    RowId column = 0;
    std::string prompt;

    bool operator==(const PromptOverride &) const = default;
};

/// What a column answered to a turn.
struct Answer {
    RowId column = 0;
    RowId generation = 0;

    bool operator==(const Answer &) const = default;
};

/// A prompt. Turns form a tree: an edited prompt or a regenerated answer is a further turn under the same parent.
/// Where only one column was regenerated, the others' answers are shared with the older turn.
struct TurnRow {
    RowId id = 0;
    RowId session = 0;
    RowId parent = 0; ///< 0 = begins the conversation
    std::string prompt;
    std::vector<PromptOverride> overrides; ///< by column, ascending
    std::vector<Answer> answers;           ///< by column, ascending; columns not asked are missing
    Milliseconds created = 0;

    /// What that column was asked.
    const std::string &promptFor(RowId column) const
    {
        for (const PromptOverride &override : overrides) {
            if (override.column == column)
                return override.prompt;
        }
        return prompt;
    }
};

enum class GenerationStatus {
    Running, ///< being written now
    Complete,
    Cancelled,   ///< stopped by the user
    Failed,      ///< stopped by an error
    Interrupted, ///< the program ended in the middle of it; the tokens until then are kept
};

/// What is known when a generation begins.
struct GenerationStart {
    RowId turn = 0;
    RowId column = 0;
    RowId model = 0;
    std::string modelFingerprint;
    std::string device;                  ///< the one in use: "cpu", "cuda:0"
    std::string dtype;                   ///< the one in use: "float32"
    std::string build;                   ///< version of the program, "0.1.0"
    GenerationOptions options;           ///< complete, the seed included
    std::vector<std::int32_t> promptIds; ///< the whole sequence handed to the model
};

/// What is known when it has ended.
struct GenerationOutcome {
    GenerationStatus status = GenerationStatus::Complete; ///< anything but Running
    std::string stopReason;          ///< name(StopReason) of the engine: "end-of-text", "max-tokens", ...
    std::string error;               ///< why it failed; empty otherwise
    std::optional<std::string> text; ///< the answer; without it, the tokens' texts joined
    double prefillSeconds = 0;
    double decodeSeconds = 0;
    double firstTokenSeconds = 0;
    std::int64_t reusedTokens = 0;
    std::uint64_t stateBytes = 0;
};

/// A generation without its tokens and prompt ids, which GenerationStore hands out separately.
struct GenerationRow {
    RowId id = 0;
    RowId turn = 0; ///< the turn it was made for; later ones may share it
    RowId column = 0;
    RowId model = 0;
    std::string modelFingerprint;
    std::string device;
    std::string dtype;
    std::string build;
    GenerationOptions options;
    Milliseconds started = 0;
    Milliseconds finished = 0; ///< 0 while running; of an interrupted one, when its last tokens were stored
    GenerationStatus status = GenerationStatus::Running;
    std::string stopReason;
    std::string error;
    std::string text; ///< as far as stored
    std::int64_t promptTokens = 0;
    std::int64_t tokens = 0; ///< as far as stored
    double prefillSeconds = 0;
    double decodeSeconds = 0;
    double firstTokenSeconds = 0;
    std::int64_t reusedTokens = 0;
    std::uint64_t stateBytes = 0;
};

struct StoredAlternative {
    std::int32_t id = 0;
    std::string text;
    float logprob = 0; ///< natural logarithm

    bool operator==(const StoredAlternative &) const = default;
};

struct StoredToken {
    std::int32_t id = 0;
    std::string text; ///< text that became complete with it; may be empty
    float logprob = 0;
    std::vector<StoredAlternative> alternatives; ///< most probable first
    double seconds = 0;                          ///< since the generation was asked for
    std::uint64_t stateBytes = 0;

    bool operator==(const StoredToken &) const = default;
};

/// A piece of what a probe measured during a generation, any kind: values of shape [tokens, shape...].
struct ProbeChunk {
    std::string kind; ///< "state-norm", "attention-summary", ...
    std::int64_t firstToken = 0;
    std::int64_t tokens = 0;
    std::vector<std::int64_t> shape; ///< per token: {layers, heads}
    std::vector<float> values;
};

/// Two generations' models forced through the same ids.
struct StoredComparison {
    RowId first = 0;  ///< generation
    RowId second = 0; ///< generation
    std::vector<std::int32_t> ids;
    ForcedComparison values;
    Milliseconds created = 0;
};

/// Everything of a session but tokens and measurements: what a window needs to show it again.
struct SessionContent {
    SessionRow session;
    std::vector<ColumnRow> columns;         ///< by position, removed ones last
    std::vector<TurnRow> turns;             ///< by id: a parent before its children
    std::vector<GenerationRow> generations; ///< by id
};

enum class SearchKind { Title, Prompt, Answer };

struct SnippetPiece {
    std::string text;
    bool match = false; ///< to be highlighted
};

struct SearchHit {
    SearchKind kind = SearchKind::Title;
    RowId session = 0;
    RowId turn = 0;       ///< of prompts and answers
    RowId generation = 0; ///< of answers
    std::string sessionTitle;
    Milliseconds modified = 0; ///< of the session
    std::vector<SnippetPiece> snippet;
};

/// Stable lower-case names, as stored and exported.
const char *name(GenerationStatus status);
const char *name(SearchKind kind);

} // namespace lens
