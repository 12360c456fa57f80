// Reads the pickles that torch.save writes (protocol 2) as plain data. Python's unpickler calls whatever functions a
// pickle names; this one calls nothing. It knows the few instructions needed for numbers, texts, containers and
// tensors, and refuses every global name but OrderedDict, torch's storages and _rebuild_tensor_v2.
#pragma once

#include "tensor/dtype.h"

#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lens {

struct PickleNode;
using PickleRef = const PickleNode *;

struct PickleSequence {
    bool isTuple = false;
    std::vector<PickleRef> items;
};

struct PickleDict {
    std::vector<std::pair<PickleRef, PickleRef>> items; ///< in order, keys may repeat

    /// The value of a text key, the last if it repeats; nullptr without one.
    PickleRef find(std::string_view key) const;
};

struct PickleGlobal {
    std::string_view module;
    std::string_view name;
};

struct PickleStorage {
    DType type = DType::F32;
    std::string_view key; ///< the entry <archive>/data/<key> holds the bytes
    std::int64_t elements = 0;
};

struct PickleTensor {
    PickleStorage storage;
    std::int64_t offset = 0; ///< in elements
    std::vector<std::int64_t> shape;
    std::vector<std::int64_t> strides; ///< in elements, as many as sizes
};

struct PickleNode {
    std::variant<std::monostate, bool, std::int64_t, double, std::string_view, PickleSequence, PickleDict, PickleGlobal,
                 PickleStorage, PickleTensor>
        value;

    template <class T>
    const T *as() const
    {
        return std::get_if<T>(&value);
    }
};

struct Pickle {
    std::deque<PickleNode> nodes; ///< owns all values; containers refer to each other, perhaps in circles
    PickleRef root = nullptr;
};

/// `bytes` must outlive the result. Sizes and offsets in tensors are whatever the pickle says, except that negative
/// ones are refused. `file` is for errors: Unsupported names the global that is not allowed.
Result<Pickle> readPickle(std::span<const std::byte> bytes, const std::string &file);

} // namespace lens
