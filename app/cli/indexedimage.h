// A picture of many cells, small enough to lie inside an HTML file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lens::cli {

/// A data URI (8-bit BMP) of rows x columns pixels, row 0 on top, in the colours of scaleRgb(); NaN is grey.
std::string imageUri(std::int64_t rows, std::int64_t columns, const std::vector<double> &shares);

std::string base64(const std::string &bytes);

} // namespace lens::cli
