// A comparison as it is stored in a workspace.
#pragma once

#include "cli/comparison.h"
#include "store/tokenwriter.h"
#include "store/workspace.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lens::cli {

class Recording {
public:
    /// Opens or creates the workspace and adds a session with a column per model.
    static Result<std::unique_ptr<Recording>> begin(const std::string &file, const std::string &title,
                                                    const std::vector<ComparedColumn> &columns,
                                                    const CommonOptions &common, const Comparison &comparison);

    RowId session() const { return m_session; }

    /// Before the first token is asked for.
    Result<void> beginTurn(const std::string &prompt);
    Result<void> beginGeneration(std::size_t column, const LoadedModel &model, const GenerationOptions &options,
                                 std::span<const TokenId> promptIds);

    /// Errors of these two come out of finishGeneration: a callback has nobody to tell.
    void token(const TokenEvent &event);
    void norms(const HeadFrame &frame);

    Result<void> finishGeneration(const Result<GenerationResult> &result);
    Result<void> saveComparison(const PairResult &pair, std::span<const TokenId> ids);

private:
    explicit Recording(std::unique_ptr<Workspace> workspace) : m_workspace(std::move(workspace)) {}

    std::unique_ptr<Workspace> m_workspace;
    std::optional<TokenWriter> m_writer;
    std::optional<Error> m_firstError;
    RowId m_session = 0;
    RowId m_turn = 0;
    std::vector<RowId> m_models, m_columns;
    std::vector<RowId> m_generations; ///< of the current turn, by column
};

} // namespace lens::cli
