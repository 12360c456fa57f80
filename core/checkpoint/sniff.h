// What a file is, by its first bytes; the name decides only where the bytes do not.
#pragma once

#include "tensor/mappedfile.h"

namespace lens {

enum class FileKind { Safetensors, Gguf, Llama2c, TorchZip };

/// Errors say what was found instead: an empty file, a web page, a Git LFS pointer, a bare Python pickle.
Result<FileKind> sniff(const MappedFile &file);

} // namespace lens
