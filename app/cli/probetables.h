// Measurements as tables: columnar in files, long form in CSV.
#pragma once

#include "cli/json.h"
#include "engine/dump.h"

#include <stop_token>
#include <string>
#include <vector>

namespace lens::cli {

struct ProbeTable {
    std::string kind; ///< "state_norm", "half_life", ...
    std::string unit;
    std::vector<std::string> axes; ///< "token", "layer", "head"
    FloatTable table;
};

struct ProbeRequest {
    LoadedModelPtr model;
    LoadedModelPtr against; ///< may be null
    std::vector<TokenId> ids;
    std::vector<std::string> kinds; ///< of probeKinds(); empty: whatever the models allow
    RowScaling scaling = RowScaling::AbsoluteSum;
};

struct ProbeReport {
    std::string model, against;
    std::vector<TokenId> ids;
    std::vector<std::string> pieces; ///< one per id; empty without a tokenizer
    std::vector<ProbeTable> tables;
    std::vector<std::string> notes; ///< what was asked for and is not there, or was cut short
};

/// What --kinds takes.
std::vector<std::string> probeKinds();

/// Unsupported when nothing of what was asked for can be measured.
Result<ProbeReport> measure(const ProbeRequest &request, std::stop_token stop, const ProgressFn &progress);

/// kind,token,layer,head,channel,value; what a kind has no axis for is empty, values that are not numbers are left out.
std::string toCsv(const ProbeReport &report);
Json toJson(const ProbeReport &report);
std::vector<FloatTable> plainTables(const ProbeReport &report);

/// One line per table: its shape, mean, smallest and largest value.
std::string overview(const ProbeReport &report);

} // namespace lens::cli
