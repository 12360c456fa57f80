#include "bridge/trainingcontroller.h"

#include <QCoreApplication>

namespace lens {
namespace {

constexpr int DrainMilliseconds = 100;
constexpr qint64 RecordMilliseconds = 1000;

} // namespace

/// What the training thread has to tell.
struct TrainingController::Mailbox {
    std::mutex mutex;
    TrainingMetrics metrics;
    std::vector<std::string> exported;
    std::vector<Error> notExported;
    std::string fingerprint; ///< of the result, at the end
};

TrainingController::TrainingController(TrainingEngine &engine, StoreThread &store, QObject *parent)
    : QObject(parent), m_engine(engine), m_store(store), m_recorder(store), m_mailbox(std::make_shared<Mailbox>()),
      m_estimator(1), m_runner(std::make_unique<JobRunner>(1))
{
    m_timer.setInterval(DrainMilliseconds);
    connect(&m_timer, &QTimer::timeout, this, [this] {
        drain();
        record(false);
    });
    connect(&store, &StoreThread::opened, this, &TrainingController::stateChanged);
    connect(&m_recorder, &TrainingRecorder::begun, this, [this](qint64 run) {
        m_run = run;
        Q_EMIT runsChanged();
    });
    connect(&m_recorder, &TrainingRecorder::finished, this, &TrainingController::runsChanged);
    connect(&m_recorder, &TrainingRecorder::failed, this, &TrainingController::notSaved);
}

TrainingController::~TrainingController()
{
    m_timer.stop();
    blockSignals(true);
    m_runner.reset();
    drain();
    record(true);
}

Result<void> TrainingController::mayBegin() const
{
    if (isRunning())
        return fail(ErrorCode::Busy, "another training is running", m_recipe.out, "wait for it, or stop it first");
    if (!canRecord())
        return fail(ErrorCode::Busy, "another program has the workspace, so that no run can be entered", {},
                    "close it there, then try again");
    return {};
}

Result<void> TrainingController::start(const Recipe &recipe, const QString &name)
{
    if (auto may = mayBegin(); !may)
        return may;
    if (auto valid = validate(recipe); !valid)
        return valid;
    prepare(recipe, name, 0);
    launch(ResumeMode::Fresh);
    return {};
}

Result<void> TrainingController::goOn(const TrainingRunRow &run)
{
    if (auto may = mayBegin(); !may)
        return may;
    auto recipe = recipeOf(run);
    if (!recipe)
        return propagate(recipe);
    // The folder may have been moved since, with the row told about it.
    recipe->out = run.folder;
    prepare(std::move(*recipe), QString::fromStdString(run.name), run.id);
    m_store.run<TrainingMetrics>(
        [id = run.id, folder = run.folder](Workspace &workspace) {
            auto metrics = workspace.training().metrics(id);
            if (metrics)
                extend(*metrics, loggedMetrics(folder));
            return metrics;
        },
        [self = QPointer(this)](Result<TrainingMetrics> metrics) {
            if (!self)
                return;
            self->m_recorder.resume(self->m_run);
            if (metrics) {
                self->m_metrics = std::move(*metrics);
                self->m_recorder.append(self->m_metrics);
            } else {
                Q_EMIT self->notSaved(metrics.error());
            }
            self->launch(ResumeMode::Resume);
        });
    return {};
}

/// From here on a person may pause and stop the run, begun or not.
void TrainingController::prepare(Recipe recipe, const QString &name, qint64 run)
{
    m_recipe = std::move(recipe);
    m_name = name;
    m_run = run;
    m_entered = run != 0;
    m_cancelled = false;
    m_mailbox = std::make_shared<Mailbox>();
    m_control = std::make_shared<TrainingControl>();
    m_metrics = {};
    m_unrecorded = {};
    m_outcome.reset();
    m_progress = {};
    setState(State::Preparing);
}

void TrainingController::launch(ResumeMode mode)
{
    m_recorded.start();
    m_timer.start();
    m_job = m_runner->run<TrainingOutcome>(
        tr("Training"),
        [&engine = m_engine, recipe = m_recipe, mode, mailbox = m_mailbox, control = m_control,
         listener = listener()](std::stop_token stop, const ProgressFn &progress) mutable {
            listener.progress = progress;
            auto outcome = engine.train(recipe, mode, listener, *control, stop);
            if (outcome)
                mailbox->fingerprint = engine.fingerprint(outcome->folder);
            return outcome;
        },
        [this](const Result<TrainingOutcome> &result) { end(result); });
    connect(m_job, &Job::progressed, this, [this](const Progress &progress) {
        m_progress = progress;
        Q_EMIT progressed(progress);
    });
    if (m_cancelled)
        m_job->cancel();
}

TrainingListener TrainingController::listener() const
{
    const auto mailbox = m_mailbox;
    TrainingListener listener = measuringListener([mailbox](const TrainingMetrics &news) {
        const std::lock_guard lock(mailbox->mutex);
        extend(mailbox->metrics, news);
    });
    listener.exported = [mailbox](const std::string &folder) {
        const std::lock_guard lock(mailbox->mutex);
        mailbox->exported.push_back(folder);
    };
    listener.exportFailed = [mailbox](const Error &error) {
        const std::lock_guard lock(mailbox->mutex);
        mailbox->notExported.push_back(error);
    };
    return listener;
}

void TrainingController::drain()
{
    TrainingMetrics news;
    std::vector<std::string> folders;
    std::vector<Error> errors;
    {
        const std::lock_guard lock(m_mailbox->mutex);
        std::swap(news, m_mailbox->metrics);
        folders.swap(m_mailbox->exported);
        errors.swap(m_mailbox->notExported);
    }
    if (!news.empty()) {
        extend(m_metrics, news);
        extend(m_unrecorded, news);
        if (m_state == State::Preparing && !news.steps.empty())
            setState(State::Training);
        Q_EMIT measured(news);
    }
    for (const std::string &folder : folders)
        Q_EMIT exported(QString::fromStdString(folder), originalOf(m_recipe));
    for (const Error &error : errors)
        Q_EMIT exportFailed(error);
}

/// A run is entered into the workspace with its first measurement: one that fails before has nothing to be kept.
void TrainingController::record(bool now)
{
    if (m_unrecorded.empty() || (!now && m_entered && m_recorded.elapsed() < RecordMilliseconds))
        return;
    if (!m_entered) {
        m_entered = true;
        m_recorder.begin({m_recipe.out, m_name.toStdString(), recipeText(m_recipe), totalSteps(m_recipe),
                          QCoreApplication::applicationVersion().toStdString()});
    }
    m_recorder.append(std::exchange(m_unrecorded, {}));
    m_recorded.restart();
}

void TrainingController::end(const Result<TrainingOutcome> &result)
{
    m_timer.stop();
    drain();
    record(true);
    if (m_entered)
        m_recorder.finish(endOfTraining(result, m_recipe.out, m_mailbox->fingerprint));
    m_job = nullptr;
    if (result)
        m_outcome = *result;
    setState(State::Idle);
    if (result)
        Q_EMIT finished(*result);
    else
        Q_EMIT failed(result.error());
}

void TrainingController::setState(State state)
{
    if (m_state == state)
        return;
    m_state = state;
    Q_EMIT stateChanged();
}

void TrainingController::estimate(const Recipe &recipe, std::function<void(Result<TrainingEstimate>)> done)
{
    const quint64 number = ++m_estimates;
    if (m_estimate)
        m_estimate->cancel();
    m_estimate = m_estimator.run<TrainingEstimate>(
        tr("Estimating"),
        [&engine = m_engine, recipe](std::stop_token stop, const ProgressFn &) -> Result<TrainingEstimate> {
            if (stop.stop_requested())
                return fail(ErrorCode::Cancelled, "a newer estimate was asked for");
            return engine.estimate(recipe);
        },
        [this, number, done = std::move(done)](Result<TrainingEstimate> estimate) {
            if (number == m_estimates)
                done(std::move(estimate));
        });
}

void TrainingController::pause()
{
    if (m_state != State::Training && m_state != State::Preparing)
        return;
    m_control->pause();
    setState(State::Paused);
}

void TrainingController::resume()
{
    if (m_state != State::Paused)
        return;
    m_control->resume();
    setState(m_metrics.steps.empty() ? State::Preparing : State::Training);
}

void TrainingController::stopAndKeep()
{
    if (!isRunning())
        return;
    m_control->stopAndKeep();
    setState(State::Stopping);
}

void TrainingController::cancel()
{
    if (!isRunning())
        return;
    m_cancelled = true;
    if (m_job)
        m_job->cancel();
    setState(State::Stopping);
}

void TrainingController::exportNow()
{
    if (isRunning())
        m_control->exportNow();
}

} // namespace lens
