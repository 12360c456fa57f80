// Reads one Python string or bytes literal as data. Nothing is evaluated.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace lens::rwkv {

/// The bytes that 'text', "text", b'text' or b"text" stands for, a str in UTF-8. Escapes as in Python; without raw,
/// formatted, triple-quoted and adjoining literals, and without \N{name}. ErrorCode::Malformed says what is wrong.
Result<std::string> readPythonLiteral(std::string_view literal);

} // namespace lens::rwkv
