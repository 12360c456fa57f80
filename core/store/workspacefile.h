// The workspace as a file among files: made in one step, copied, examined. Internal to core/store.
#pragma once

#include "store/connection.h"

namespace lens {

/// Makes a new workspace with the current schema. It appears under `path` complete or not at all, and never in place of
/// something else.
Result<void> createWorkspaceFile(const std::string &path);

/// Removes what a process killed in the middle of createWorkspaceFile left behind.
void removeDraft(const std::string &path);

/// A consistent copy as a new file; InvalidArgument where there is one already.
Result<void> copyWorkspaceFile(Connection &source, const std::string &path);

/// Malformed when pages contradict each other; reads the whole file.
Result<void> quickCheck(Connection &connection);

/// What quickCheck does, and indexes, references, the search index and every compressed blob: a sentence per fault.
Result<std::vector<std::string>> fullCheck(Connection &connection);

} // namespace lens
