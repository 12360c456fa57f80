// Rows of the training tables as structs and back. Internal to core/store. These functions throw what SQLite throws.
#pragma once

#include "store/connection.h"
#include "store/trainingstore.h"

namespace lens {

/// The columns that readTrainingRun expects, of `training_runs r`.
extern const char *const trainingRunColumns;

Result<TrainingRunRow> readTrainingRun(SQLite::Statement &row);

Result<void> writeTrainingMetrics(Connection &connection, RowId run, const TrainingMetrics &metrics);
Result<TrainingMetrics> readTrainingMetrics(Connection &connection, RowId run);

} // namespace lens
