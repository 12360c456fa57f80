// A training run as it is stored in a workspace.
#pragma once

#include "store/trainingwriter.h"
#include "store/workspace.h"

#include <memory>
#include <optional>
#include <string>

namespace lens::cli {

class TrainingRecording {
public:
    /// Opens or creates the workspace. The run is entered with its first measurement: one that fails before has nothing to
    /// be kept. With `resume` the newest run in that folder goes on, or a new one is entered; what its log holds is taken
    /// over. `recipe` has absolute paths.
    static Result<std::unique_ptr<TrainingRecording>> open(const std::string &file, const Recipe &recipe, bool resume);

    /// `then` gets what happens afterwards. Both must outlive what is returned.
    TrainingListener listener(const TrainingListener &then);

    /// The rest of the measurements and how the run ended. Fails when something of the run is not in the workspace: a
    /// listener has nobody to tell.
    Result<void> finish(const Result<TrainingOutcome> &result);

private:
    TrainingRecording(std::unique_ptr<Workspace> workspace, const Recipe &recipe, bool resume)
        : m_workspace(std::move(workspace)), m_recipe(recipe), m_resume(resume)
    {
    }

    void append(const TrainingMetrics &metrics);
    Result<void> enter();
    Result<void> takeOverLog();

    std::unique_ptr<Workspace> m_workspace;
    const Recipe m_recipe;
    const bool m_resume;
    std::optional<TrainingWriter> m_writer;
    std::optional<Error> m_notEntered;
};

} // namespace lens::cli
