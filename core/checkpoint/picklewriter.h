// Writes the pickles of torch.save (protocol 2): texts, numbers, dicts, and tensors whose bytes lie elsewhere.
#pragma once

#include "tensor/dtype.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lens {

class PickleWriter {
public:
    PickleWriter();

    void beginDict();
    void endDict();
    void text(std::string_view value);
    void integer(std::int64_t value);

    /// A contiguous tensor in the storage data/<key>; false when torch has no storage class of that type.
    bool tensor(DType type, std::string_view key, std::span<const std::int64_t> shape);

    /// The finished pickle.
    std::string finish();

private:
    void global(std::string_view module, std::string_view name);
    void sizes(std::span<const std::int64_t> values);

    std::string m_bytes;
};

} // namespace lens
