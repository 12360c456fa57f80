// Training as the window and the command line see it. No torch in here.
//
// A run lives in the folder Recipe::out:
//   recipe.json    what was asked
//   log.jsonl      every measurement, one JSON object a line
//   checkpoints/   step-N/, the newest `keepCheckpoints`; written under another name, synced, renamed
//   now/           the model as it was when Training::Control::exportNow() was last called
//   config.json, model.safetensors, tokenizer files (or the adapter's): the result
#pragma once

#include "base/progress.h"
#include "base/result.h"
#include "uptrain/metrics.h"
#include "uptrain/recipe.h"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

namespace lens {

/// Delivered on the training thread. Any may be empty.
struct TrainingListener {
    ProgressFn progress;  ///< "tokenising" in bytes, "loading", "training" in steps, "evaluating" in tokens
    std::function<void(const StepMetrics &)> step;
    std::function<void(const EvaluationMetrics &)> evaluation;
    std::function<void(const LayerMetrics &)> layers;
    std::function<void(const SampleMetrics &)> sample;
    std::function<void(const TrainingNotice &)> notice;
    std::function<void(const std::string &folder)> exported;  ///< after exportNow(): a model that can be opened
    std::function<void(const Error &)> exportFailed;          ///< after exportNow(), with a notice: there is no model
};

/// What a person may ask of a running training, from any thread. Heeded between two steps.
class TrainingControl {
public:
    void pause();
    void resume();
    bool isPaused() const;
    /// The run ends after this step as if it had been its last: the model is written, and can be resumed later.
    void stopAndKeep();
    /// Writes the model as it is into `now/` and calls TrainingListener::exported.
    void exportNow();

    /// For the trainer. Waits while paused; false when `stop` was requested meanwhile.
    bool waitWhilePaused(std::stop_token stop) const;
    bool wantsToStop() const;
    bool takeExportRequest();

private:
    mutable std::mutex m_mutex;
    mutable std::condition_variable_any m_changed;
    bool m_paused = false;
    bool m_stop = false;
    bool m_export = false;
};

struct TrainingOutcome {
    std::int64_t step = 0;          ///< steps done, over all stages
    bool finished = false;          ///< all steps of the recipe; false after stopAndKeep()
    std::int64_t skippedSteps = 0;  ///< for a loss or gradient that was not finite
    double heldOutPerplexity = 0;
    double originalPerplexity = 0;  ///< 0 when there is no original
    std::string folder;             ///< opens with loadModel()
};

enum class ResumeMode {
    Fresh,   ///< ErrorCode::InvalidArgument when the folder already holds a run
    Resume,  ///< from the newest complete checkpoint, bit for bit; ErrorCode::Mismatch when the recipe is another one;
             ///< ErrorCode::InvalidArgument when the run took steps and left no checkpoint
};

/// Trains until the end, a stop request (ErrorCode::Cancelled, after a last checkpoint), or a diagnosis
/// (ErrorCode::InvalidArgument with advice: repeated non-finite losses; the last good checkpoint stays).
Result<TrainingOutcome> train(const Recipe &recipe, ResumeMode mode, const TrainingListener &listener,
                              TrainingControl &control, std::stop_token stop = {});

struct TrainingEstimate {
    std::uint64_t parameters = 0;       ///< of the model
    std::uint64_t trained = 0;          ///< of them trained, in the largest stage
    std::uint64_t memory = 0;           ///< bytes at the peak: weights, gradients, optimiser, activations, original
    std::uint64_t availableMemory = 0;  ///< bytes; 0 when unknown
    std::uint64_t disk = 0;             ///< bytes: checkpoints, result and token cache
    std::uint64_t availableDisk = 0;    ///< bytes where `out` will lie; 0 when unknown
    double floatingOperations = 0;      ///< of the whole run
    double seconds = 0;                 ///< from a short measurement of this machine; a rough figure
    std::vector<std::string> warnings;  ///< sentences: "the run needs 9.1 GiB, 7.8 GiB are free"
};

/// From headers and file sizes, with a matrix product of half a second to learn the machine's speed.
Result<TrainingEstimate> estimateTraining(const Recipe &recipe);

} // namespace lens
