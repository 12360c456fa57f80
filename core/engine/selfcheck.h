// Whether this installation computes what it should: a tiny model is written, read, converted and run in all forms.
#pragma once

#include "base/result.h"

#include <stop_token>
#include <string>
#include <vector>

namespace lens {

struct FormCheck {
    std::string model;     ///< "softmax", "supra", "supra:retnet", ...
    double difference = 0; ///< largest |difference| of the logits between two forms, as a share of their range
    bool passed = false;
};

/// Writes a tiny Llama with random weights into `folder` (which must exist and is not cleaned up), converts it in all
/// ways, and compares the parallel, chunked and recurrent forms of each.
Result<std::vector<FormCheck>> checkForms(const std::string &folder, std::stop_token stop = {});

} // namespace lens
