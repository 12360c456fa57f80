// Sessions as documents: JSON to take elsewhere and back, Markdown to read.
#pragma once

#include "store/workspace.h"

#include <string>
#include <string_view>

namespace lens {

struct ExportOptions {
    bool tokens = true;  ///< ids, probabilities, alternatives and times of every token
    bool probes = false; ///< measurements; large
};

/// A JSON document (docs/formats.md). It carries models, columns, all branches, settings and comparisons.
Result<std::string> exportSessionJson(Workspace &workspace, RowId session, const ExportOptions &options = {});

/// The current branch: prompts, answers by model, and what each was made with.
Result<std::string> exportSessionMarkdown(Workspace &workspace, RowId session);

/// Adds the session of such a document, all of it or nothing; returns its new id. Malformed says where the document
/// is wrong; NewerVersion.
Result<RowId> importSessionJson(Workspace &workspace, std::string_view document);

} // namespace lens
