#include "store/trainingrows.h"

#include "store/codec.h"

#include <SQLiteCpp/VariadicBind.h>
#include <array>
#include <limits>

namespace lens {

namespace {

constexpr float missing = std::numeric_limits<float>::quiet_NaN();
constexpr std::int64_t maxCells = std::int64_t(1) << 24; ///< of one measurement's largest list

/// NULL is a number that was none.
double number(const SQLite::Column &column)
{
    return column.isNull() ? std::numeric_limits<double>::quiet_NaN() : column.getDouble();
}

Result<TrainingStatus> trainingStatus(const std::string &stored)
{
    for (const TrainingStatus status : {TrainingStatus::Running, TrainingStatus::Finished, TrainingStatus::Stopped,
                                        TrainingStatus::Failed, TrainingStatus::Interrupted}) {
        if (stored == name(status))
            return status;
    }
    return fail(ErrorCode::Malformed, "a training run has the unknown status \"" + stored + "\"");
}

/// Runs one prepared INSERT for every element.
template <class T, class Bind>
void insertAll(Connection &connection, const char *sql, const std::vector<T> &rows, Bind &&bind)
{
    if (rows.empty())
        return;
    SQLite::Statement statement = connection.prepare(sql);
    for (const T &row : rows) {
        bind(statement, row);
        statement.exec();
        statement.reset();
    }
}

/// The three lists of a LayerMetrics one after the other; empty ones as NaN.
Result<std::vector<float>> pack(const LayerMetrics &metrics)
{
    if (metrics.layers < 0 || metrics.heads < 0 || metrics.layers > maxCells ||
        (metrics.layers > 0 && metrics.heads > maxCells / metrics.layers))
        return fail(ErrorCode::InvalidArgument, "a measurement of layers has impossible sizes");
    const auto layers = static_cast<std::size_t>(metrics.layers);
    const auto cells = layers * static_cast<std::size_t>(metrics.heads);
    std::vector<float> packed;
    packed.reserve(2 * layers + cells);
    const std::array<std::pair<const std::vector<float> *, std::size_t>, 3> lists{
        {{&metrics.largestActivation, layers}, {&metrics.outputError, layers}, {&metrics.headFidelity, cells}}};
    for (const auto &[list, size] : lists) {
        if (list->empty())
            packed.insert(packed.end(), size, missing);
        else if (list->size() == size)
            packed.insert(packed.end(), list->begin(), list->end());
        else
            return fail(ErrorCode::InvalidArgument, "a measurement of layers does not fit its sizes");
    }
    return packed;
}

Result<LayerMetrics> unpack(SQLite::Statement &row)
{
    LayerMetrics metrics;
    metrics.step = row.getColumn(0).getInt64();
    metrics.layers = row.getColumn(1).getInt64();
    metrics.heads = row.getColumn(2).getInt64();
    const auto packed = decodeFloats(bytesOf(row.getColumn(3)));
    if (!packed)
        return propagate(packed);
    const bool sensible = metrics.layers >= 0 && metrics.heads >= 0 && metrics.layers <= maxCells &&
                          metrics.heads <= maxCells &&
                          static_cast<std::int64_t>(packed->size()) == metrics.layers * (2 + metrics.heads);
    if (!sensible)
        return fail(ErrorCode::Malformed, "a measurement of layers does not fit its sizes");
    const auto second = packed->begin() + metrics.layers;
    const auto third = second + metrics.layers;
    metrics.largestActivation.assign(packed->begin(), second);
    metrics.outputError.assign(second, third);
    metrics.headFidelity.assign(third, packed->end());
    return metrics;
}

Result<void> writeLayers(Connection &connection, RowId run, const std::vector<LayerMetrics> &all)
{
    for (const LayerMetrics &metrics : all) {
        const auto packed = pack(metrics);
        if (!packed)
            return propagate(packed);
        const auto data = encodeFloats(*packed);
        if (!data)
            return propagate(data);
        connection.execute("INSERT OR REPLACE INTO training_layers (run, step, layers, heads, data) "
                           "VALUES (?1, ?2, ?3, ?4, ?5)",
                           run, metrics.step, metrics.layers, metrics.heads, *data);
    }
    return {};
}

void readSteps(Connection &connection, RowId run, TrainingMetrics &metrics)
{
    SQLite::Statement row =
        connection.prepare("SELECT step, stage, loss, gradient_norm, learning_rate, tokens, seconds, "
                           "tokens_per_second, skipped FROM training_steps WHERE run = ?1 ORDER BY step",
                           run);
    while (row.executeStep())
        metrics.steps.push_back({row.getColumn(0).getInt64(), row.getColumn(1).getInt64(), number(row.getColumn(2)),
                                 number(row.getColumn(3)), number(row.getColumn(4)), row.getColumn(5).getInt64(),
                                 number(row.getColumn(6)), number(row.getColumn(7)),
                                 row.getColumn(8).getInt64() != 0});
}

void readTexts(Connection &connection, RowId run, TrainingMetrics &metrics)
{
    SQLite::Statement samples = connection.prepare(
        "SELECT step, prompt, text, original_text FROM training_samples WHERE run = ?1 ORDER BY step, prompt", run);
    while (samples.executeStep())
        metrics.samples.push_back({samples.getColumn(0).getInt64(), samples.getColumn(1).getString(),
                                   samples.getColumn(2).getString(), samples.getColumn(3).getString()});
    SQLite::Statement notices =
        connection.prepare("SELECT step, text FROM training_notices WHERE run = ?1 ORDER BY step, id", run);
    while (notices.executeStep())
        metrics.notices.push_back({notices.getColumn(0).getInt64(), notices.getColumn(1).getString()});
}

} // namespace

const char *const trainingRunColumns =
    "r.id, r.folder, r.name, r.recipe, r.total_steps, r.build, r.started, r.stored, r.status, r.message, r.notes, "
    "r.fingerprint, coalesce((SELECT max(s.step) FROM training_steps s WHERE s.run = r.id), 0), "
    "(SELECT e.perplexity FROM training_evaluations e WHERE e.run = r.id ORDER BY e.step DESC LIMIT 1), "
    "(SELECT e.original_perplexity FROM training_evaluations e WHERE e.run = r.id ORDER BY e.step DESC LIMIT 1)";

Result<TrainingRunRow> readTrainingRun(SQLite::Statement &row)
{
    const auto status = trainingStatus(row.getColumn(8).getString());
    if (!status)
        return propagate(status);
    TrainingRunRow run;
    run.id = row.getColumn(0).getInt64();
    run.folder = row.getColumn(1).getString();
    run.name = row.getColumn(2).getString();
    run.recipe = row.getColumn(3).getString();
    run.totalSteps = row.getColumn(4).getInt64();
    run.build = row.getColumn(5).getString();
    run.started = row.getColumn(6).getInt64();
    run.finished = *status == TrainingStatus::Running ? 0 : row.getColumn(7).getInt64();
    run.status = *status;
    run.message = row.getColumn(9).getString();
    run.notes = row.getColumn(10).getString();
    run.fingerprint = row.getColumn(11).getString();
    run.lastStep = row.getColumn(12).getInt64();
    run.perplexity = row.getColumn(13).getDouble();
    run.originalPerplexity = row.getColumn(14).getDouble();
    return run;
}

Result<void> writeTrainingMetrics(Connection &connection, RowId run, const TrainingMetrics &metrics)
{
    insertAll(connection, "INSERT OR REPLACE INTO training_steps VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
              metrics.steps, [run](SQLite::Statement &statement, const StepMetrics &step) {
                  SQLite::bind(statement, run, step.step, step.stage, step.loss, step.gradientNorm, step.learningRate,
                               step.tokens, step.seconds, step.tokensPerSecond, int(step.skipped));
              });
    insertAll(connection, "INSERT OR REPLACE INTO training_evaluations VALUES (?1, ?2, ?3, ?4, ?5)",
              metrics.evaluations, [run](SQLite::Statement &statement, const EvaluationMetrics &evaluation) {
                  SQLite::bind(statement, run, evaluation.step, evaluation.tokens, evaluation.perplexity,
                               evaluation.originalPerplexity);
              });
    insertAll(connection, "INSERT OR REPLACE INTO training_samples VALUES (?1, ?2, ?3, ?4, ?5)", metrics.samples,
              [run](SQLite::Statement &statement, const SampleMetrics &sample) {
                  SQLite::bind(statement, run, sample.step, sample.prompt, sample.text, sample.originalText);
              });
    insertAll(connection, "INSERT OR IGNORE INTO training_notices (run, step, text) VALUES (?1, ?2, ?3)",
              metrics.notices, [run](SQLite::Statement &statement, const TrainingNotice &notice) {
                  SQLite::bind(statement, run, notice.step, notice.text);
              });
    return writeLayers(connection, run, metrics.layers);
}

Result<TrainingMetrics> readTrainingMetrics(Connection &connection, RowId run)
{
    TrainingMetrics metrics;
    readSteps(connection, run, metrics);
    SQLite::Statement evaluations =
        connection.prepare("SELECT step, tokens, perplexity, original_perplexity FROM training_evaluations "
                           "WHERE run = ?1 ORDER BY step",
                           run);
    while (evaluations.executeStep())
        metrics.evaluations.push_back({evaluations.getColumn(0).getInt64(), evaluations.getColumn(1).getInt64(),
                                       number(evaluations.getColumn(2)), number(evaluations.getColumn(3))});
    SQLite::Statement layers = connection.prepare(
        "SELECT step, layers, heads, data FROM training_layers WHERE run = ?1 ORDER BY step", run);
    while (layers.executeStep()) {
        auto unpacked = unpack(layers);
        if (!unpacked)
            return propagate(unpacked);
        metrics.layers.push_back(std::move(*unpacked));
    }
    readTexts(connection, run, metrics);
    return metrics;
}

} // namespace lens
