// The measured parts of a report. Each returns HTML, or nothing when there is nothing to show.
#pragma once

#include "cli/comparison.h"

#include <string>

namespace lens::cli {

std::string klSection(const Comparison &comparison, const ComparedTurn &turn);
std::string memorySection(const Comparison &comparison, const ComparedTurn &turn);
std::string stateSection(const Comparison &comparison, const ComparedTurn &turn);
std::string decaySection(const Comparison &comparison);
std::string attentionSection(const Comparison &comparison);

} // namespace lens::cli
