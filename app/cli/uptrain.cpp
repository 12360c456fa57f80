// supralens-cli uptrain
#include "base/folders.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/models.h"
#include "cli/trainingoptions.h"
#include "cli/trainingrecording.h"
#include "uptrain/exportjob.h"
#include "uptrain/recipepaths.h"
#include "uptrain/uptrain.h"

#include <chrono>

namespace lens::cli {

namespace {

struct Options {
    TrainingArguments training;
    std::string workspace;
    bool resume = false;
};

/// What happens, as lines for a person: each evaluation and notice, and a step now and then.
class Reporter {
public:
    Reporter(Console &console, std::int64_t steps) : m_console(console), m_steps(steps), m_progress(console.progress()) {}

    TrainingListener listener()
    {
        TrainingListener listener;
        listener.progress = m_progress;
        listener.step = [this](const StepMetrics &metrics) { step(metrics); };
        listener.evaluation = [this](const EvaluationMetrics &metrics) { evaluation(metrics); };
        listener.layers = [this](const LayerMetrics &metrics) { layers(metrics); };
        listener.sample = [this](const SampleMetrics &metrics) {
            m_console.remark("  after step " + std::to_string(metrics.step) + ": " + oneLine(metrics.prompt + metrics.text));
        };
        listener.notice = [this](const TrainingNotice &notice) { m_console.remark(notice.text); };
        return listener;
    }

private:
    void step(const StepMetrics &metrics)
    {
        const auto now = std::chrono::steady_clock::now();
        if (now - m_last < std::chrono::seconds(10) && metrics.step != m_steps)
            return;
        m_last = now;
        m_console.remark("step " + std::to_string(metrics.step) + "/" + std::to_string(m_steps) + "  loss " + fixed(metrics.loss, 4) +
                         "  gradient " + significant(metrics.gradientNorm) + "  rate " + significant(metrics.learningRate) + "  " +
                         fixed(metrics.tokensPerSecond, 0) + " tokens/s");
    }

    void evaluation(const EvaluationMetrics &metrics)
    {
        std::string line = "  held out after step " + std::to_string(metrics.step) + ": perplexity " + fixed(metrics.perplexity, 3);
        if (metrics.originalPerplexity > 0)
            line += ", original " + fixed(metrics.originalPerplexity, 3);
        m_console.remark(line);
    }

    void layers(const LayerMetrics &metrics)
    {
        double sum = 0;
        int count = 0;
        for (const float error : metrics.outputError)
            if (error == error) {
                sum += error;
                ++count;
            }
        if (count > 0)
            m_console.remark("  mean squared error of the mixers' outputs: " + significant(sum / count) + " of the original's");
    }

    Console &m_console;
    std::int64_t m_steps;
    ProgressFn m_progress;
    std::chrono::steady_clock::time_point m_last;
};

void warnUntrained(const Recipe &recipe, Console &console)
{
    if (recipe.model.find('@') != std::string::npos && recipe.model.find(":identity") == std::string::npos)
        console.remark("The feature maps begin at random, as the method has it: the model talks nonsense until it is uptrained.");
}

Result<Exit> writeJob(const Recipe &recipe, const std::string &folder, Environment &environment)
{
    Console &console = environment.console;
    const auto job = exportJob(recipe, folder, environment.stop, console.progress());
    console.clearProgress();
    if (!job)
        return propagate(job);
    if (environment.options.json)
        console.writeJson({{"out", job->folder}, {"training_sequences", job->trainingSequences}, {"training_shards", job->trainingShards},
                           {"held_out_sequences", job->heldOutSequences}, {"held_out_shards", job->heldOutShards}});
    else
        console.write(facts({{"written to", job->folder},
                             {"to train on", grouped(static_cast<std::uint64_t>(job->trainingSequences)) + " sequences in "
                                                 + grouped(static_cast<std::uint64_t>(job->trainingShards)) + " shards"},
                             {"held out", grouped(static_cast<std::uint64_t>(job->heldOutSequences)) + " sequences"},
                             {"to run it", job->folder + "/run.sh, where open_lm is installed; see README.md beside it"}}));
    return Exit::Done;
}

void report(const TrainingOutcome &outcome, Environment &environment)
{
    Console &console = environment.console;
    if (environment.options.json) {
        console.writeJson({{"out", outcome.folder}, {"step", outcome.step}, {"finished", outcome.finished},
                           {"skipped_steps", outcome.skippedSteps}, {"perplexity", outcome.heldOutPerplexity},
                           {"original_perplexity", outcome.originalPerplexity}});
        return;
    }
    std::vector<std::pair<std::string, std::string>> rows{{"written to", outcome.folder},
                                                          {"steps", grouped(static_cast<std::uint64_t>(outcome.step))},
                                                          {"held-out perplexity", fixed(outcome.heldOutPerplexity, 3)}};
    if (outcome.originalPerplexity > 0)
        rows.emplace_back("of the original", fixed(outcome.originalPerplexity, 3));
    if (outcome.skippedSteps > 0)
        rows.emplace_back("steps skipped", std::to_string(outcome.skippedSteps) + ", for losses or gradients that were not finite");
    console.write(facts(rows));
}

/// Of several processes that a launcher started, the first one measures.
bool isMeasuringProcess()
{
    const std::string rank = environmentVariable("RANK");
    return rank.empty() || rank == "0";
}

Result<Exit> run(const Options &options, Environment &environment)
{
    auto recipe = recipeFrom(options.training, environment.options);
    if (!recipe)
        return propagate(recipe);
    if (!options.training.exportJob().empty())
        return writeJob(*recipe, options.training.exportJob(), environment);
    // The recipe is read again from other folders: by a run that goes on, by the window, by an adapter that looks for its base.
    *recipe = withAbsolutePaths(std::move(*recipe));
    Console &console = environment.console;
    std::unique_ptr<TrainingRecording> recording;
    if (!options.workspace.empty() && isMeasuringProcess()) {
        auto opened = TrainingRecording::open(options.workspace, *recipe, options.resume);
        if (!opened)
            return propagate(opened);
        recording = std::move(*opened);
    }
    warnUntrained(*recipe, console);
    Reporter reporter(console, totalSteps(*recipe));
    const TrainingListener listener = recording ? recording->listener(reporter.listener()) : reporter.listener();
    TrainingControl control;
    const auto outcome =
        train(*recipe, options.resume ? ResumeMode::Resume : ResumeMode::Fresh, listener, control, environment.stop);
    console.clearProgress();
    const auto recorded = recording ? recording->finish(outcome) : Result<void>();
    if (!outcome)
        return propagate(outcome);
    report(*outcome, environment);
    if (!recorded)
        return propagate(recorded);
    return Exit::Done;
}

} // namespace

void addUptrain(CommandLine &line)
{
    const auto options = std::make_shared<Options>();
    CLI::App *command = line.addCommand("uptrain", "Train a converted model, or one from scratch",
                                        [options](Environment &environment) { return run(*options, environment); });
    options->training.addTo(*command);
    command->add_flag("--resume", options->resume, "Go on from the newest checkpoint in --out");
    command->add_option("--workspace", options->workspace, "Keep what is measured in this workspace, for the window too")
        ->option_text("FILE.db");
}

} // namespace lens::cli
