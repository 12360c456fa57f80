// A comparison as one self-contained HTML file.
#pragma once

#include "cli/comparison.h"

#include <string>
#include <string_view>

namespace lens::cli {

std::string renderReport(const Comparison &comparison);

/// Written beside its place first and renamed, so that a failure leaves no half of a report.
Result<void> writeReport(const Comparison &comparison, const std::string &file);

/// The style sheet: light and dark.
std::string_view reportStyle();

} // namespace lens::cli
