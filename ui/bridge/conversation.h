// What a column shows: prompts, answers and their tokens, as plain values.
#pragma once

#include "engine/engine.h"
#include "store/records.h"

#include <QString>

#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace lens {

struct ShownToken {
    TokenId id = 0;
    QString text;        ///< empty while a character is unfinished, and for the end-of-text token
    qint64 position = 0; ///< in the column's whole sequence, prompt included
    float logprob = 0;   ///< natural logarithm
    std::vector<TokenAlternative> alternatives;
    float kl = std::numeric_limits<float>::quiet_NaN(); ///< nats; not a number until compared
};

/// What an answer cost.
struct Cost {
    double tokensPerSecond = 0;
    double firstTokenSeconds = 0;
    quint64 stateBytes = 0;
    qint64 contextTokens = 0;
};

struct ColumnAnswer {
    QString text;
    std::vector<ShownToken> tokens;
    GenerationOptions options;
    std::optional<StopReason> reason; ///< empty while generating, and when the program ended in the middle of it
    bool interrupted = false;         ///< the program ended in the middle of it
    Cost cost;
    RowId generation = 0; ///< row in the workspace; 0 when not saved
    QString madeBy;       ///< fingerprint of the weights that gave it
};

/// One prompt and what this column answered.
struct Exchange {
    RowId turn = 0;   ///< row in the workspace; 0 when not saved
    RowId parent = 0; ///< the turn it follows
    QString prompt;   ///< as this column was asked
    ColumnAnswer answer;
};

/// Chat messages up to the last exchange, whose answer is left out; behind `systemPrompt` when there is one.
std::vector<ChatMessage> messagesOf(const std::vector<Exchange> &exchanges, const QString &systemPrompt);

/// Indices of the first tokens in which two answers differ, -1 when one is a beginning of the other. Ids are compared
/// when `sameVocabulary`, else the texts; then the two indices can differ.
std::pair<qsizetype, qsizetype> firstDifference(const std::vector<ShownToken> &first,
                                                const std::vector<ShownToken> &second, bool sameVocabulary);

/// The token's text, also when it is half a character and was not shown yet.
QString spelling(const ShownToken &token);

} // namespace lens
