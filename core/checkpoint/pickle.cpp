#include "checkpoint/pickle.h"

#include "checkpoint/bytereader.h"
#include "checkpoint/storedtensor.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

namespace lens {

namespace {

constexpr std::size_t kMostNodes = 1'000'000;
constexpr std::size_t kLongestKey = 64;
constexpr const char *kConvert = "load it in Python where you trust it, and save its state dict as safetensors";

struct StorageType {
    std::string_view name;
    DType type;
};

constexpr std::array kStorageTypes{
    StorageType{"DoubleStorage", DType::F64}, StorageType{"FloatStorage", DType::F32},
    StorageType{"HalfStorage", DType::F16},   StorageType{"BFloat16Storage", DType::BF16},
    StorageType{"LongStorage", DType::I64},   StorageType{"IntStorage", DType::I32},
    StorageType{"ShortStorage", DType::I16},  StorageType{"CharStorage", DType::I8},
    StorageType{"ByteStorage", DType::U8},    StorageType{"BoolStorage", DType::Bool},
};

std::optional<DType> storageType(const PickleGlobal &global)
{
    for (const StorageType &candidate : kStorageTypes)
        if (global.module == "torch" && global.name == candidate.name)
            return candidate.type;
    return std::nullopt;
}

bool isOrderedDict(const PickleGlobal &global)
{
    return global.module == "collections" && global.name == "OrderedDict";
}

bool isRebuildTensor(const PickleGlobal &global)
{
    return global.module == "torch._utils" && global.name == "_rebuild_tensor_v2";
}

/// A tuple of non-negative whole numbers.
std::optional<std::vector<std::int64_t>> sizes(PickleRef node)
{
    const auto *sequence = node->as<PickleSequence>();
    if (!sequence || sequence->items.size() > kMaximumRank)
        return std::nullopt;
    std::vector<std::int64_t> result;
    for (const PickleRef item : sequence->items) {
        const auto *number = item->as<std::int64_t>();
        if (!number || *number < 0)
            return std::nullopt;
        result.push_back(*number);
    }
    return result;
}

/// Python's pickle machine: a stack of values, marks into it, and a memo. Each instruction either succeeds or leaves
/// the reason in m_error.
class Machine {
public:
    Machine(std::span<const std::byte> bytes, const std::string &file) : m_reader(bytes, file) {}

    Result<Pickle> run();

private:
    bool step(char instruction);
    bool pushPlain(char instruction);
    bool buildContainer(char instruction);
    bool fillContainer(char instruction);
    bool useMemo(char instruction);
    bool makeObject(char instruction);

    bool protocol();
    bool global();
    bool persistentId();
    bool reduce();
    bool rebuildTensor(const PickleSequence &arguments);
    bool longInteger();
    bool tuple(std::size_t count);
    bool remember(std::uint32_t slot);
    bool recall(std::uint32_t slot);
    bool setItems(std::size_t first);
    bool append(std::size_t first);

    template <class T>
    bool push(T value);
    PickleNode *top(std::size_t below = 0);
    std::optional<std::size_t> popMark();
    bool refuse(ErrorCode code, const std::string &what, const char *advice = kConvert);
    bool damaged() { return refuse(ErrorCode::Malformed, "the pickle is damaged", "download the file again"); }

    ByteReader m_reader;
    Pickle m_pickle;
    std::vector<PickleNode *> m_stack;
    std::vector<std::size_t> m_marks;
    std::unordered_map<std::uint32_t, PickleNode *> m_memo;
    std::optional<Error> m_error;
};

bool Machine::refuse(ErrorCode code, const std::string &what, const char *advice)
{
    m_error = Error{code, what, m_reader.where() + " of its pickle", advice};
    return false;
}

template <class T>
bool Machine::push(T value)
{
    if (m_pickle.nodes.size() == kMostNodes)
        return refuse(ErrorCode::LimitExceeded, "the pickle holds more than a million values");
    m_stack.push_back(&m_pickle.nodes.emplace_back(PickleNode{std::move(value)}));
    return true;
}

PickleNode *Machine::top(std::size_t below)
{
    const std::size_t floor = m_marks.empty() ? 0 : m_marks.back();
    return m_stack.size() > floor + below ? m_stack[m_stack.size() - 1 - below] : nullptr;
}

std::optional<std::size_t> Machine::popMark()
{
    if (m_marks.empty())
        return std::nullopt;
    const std::size_t mark = m_marks.back();
    m_marks.pop_back();
    return mark;
}

Result<Pickle> Machine::run()
{
    for (;;) {
        const char instruction = m_reader.read<char>();
        if (!m_reader.ok())
            return m_reader.truncated();
        if (instruction == '.')
            break;
        const bool done = step(instruction);
        if (!m_reader.ok())
            return m_reader.truncated();
        if (!done)
            return tl::unexpected<Error>(*m_error);
    }
    if (m_stack.size() != 1 || !m_marks.empty()) {
        damaged();
        return tl::unexpected<Error>(*m_error);
    }
    m_pickle.root = m_stack.back();
    return std::move(m_pickle);
}

bool Machine::step(char instruction)
{
    switch (instruction) {
    case '(': m_marks.push_back(m_stack.size()); return true;
    case 'N':
    case '\x88':
    case '\x89':
    case 'J':
    case 'K':
    case 'M':
    case '\x8A':
    case 'G':
    case 'X':
    case 'T':
    case 'U': return pushPlain(instruction);
    case '}':
    case ']':
    case ')':
    case 't':
    case '\x85':
    case '\x86':
    case '\x87': return buildContainer(instruction);
    case 'a':
    case 'e':
    case 's':
    case 'u': return fillContainer(instruction);
    case 'q':
    case 'r':
    case 'h':
    case 'j': return useMemo(instruction);
    case '\x80':
    case 'c':
    case 'Q':
    case 'R':
    case 'b': return makeObject(instruction);
    default:
        return refuse(ErrorCode::Unsupported, "the pickle uses instruction " +
                                                  std::to_string(static_cast<unsigned char>(instruction)) +
                                                  ", which torch.save does not need");
    }
}

bool Machine::pushPlain(char instruction)
{
    switch (instruction) {
    case 'N': return push(std::monostate());
    case '\x88': return push(true);
    case '\x89': return push(false);
    case 'J': return push(static_cast<std::int64_t>(m_reader.read<std::int32_t>()));
    case 'K': return push(static_cast<std::int64_t>(m_reader.read<std::uint8_t>()));
    case 'M': return push(static_cast<std::int64_t>(m_reader.read<std::uint16_t>()));
    case '\x8A': return longInteger();
    case 'G': {
        std::array bytes = m_reader.read<std::array<std::byte, sizeof(double)>>();
        std::ranges::reverse(bytes); // the one big-endian value in a pickle
        return push(std::bit_cast<double>(bytes));
    }
    case 'U': return push(m_reader.text(m_reader.read<std::uint8_t>()));
    default: return push(m_reader.text(m_reader.read<std::uint32_t>()));
    }
}

bool Machine::longInteger()
{
    const auto length = m_reader.read<std::uint8_t>();
    if (length > sizeof(std::int64_t))
        return refuse(ErrorCode::Unsupported, "the pickle holds a number of more than 64 bits");
    const std::span<const std::byte> bytes = m_reader.take(length);
    const bool negative = !bytes.empty() && (bytes.back() & std::byte{0x80}) != std::byte{0};
    std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
    std::ranges::copy(bytes, std::as_writable_bytes(std::span(&value, 1)).begin());
    return push(static_cast<std::int64_t>(value));
}

bool Machine::buildContainer(char instruction)
{
    switch (instruction) {
    case '}': return push(PickleDict());
    case ']': return push(PickleSequence());
    case ')': return push(PickleSequence{true, {}});
    case '\x85': return tuple(1);
    case '\x86': return tuple(2);
    case '\x87': return tuple(3);
    default: break;
    }
    const std::optional<std::size_t> mark = popMark();
    return mark ? tuple(m_stack.size() - *mark) : damaged();
}

bool Machine::tuple(std::size_t count)
{
    if (count > 0 && !top(count - 1))
        return damaged();
    PickleSequence sequence{true, {m_stack.end() - static_cast<std::ptrdiff_t>(count), m_stack.end()}};
    m_stack.resize(m_stack.size() - count);
    return push(std::move(sequence));
}

bool Machine::fillContainer(char instruction)
{
    if (instruction == 'a' || instruction == 's') {
        const std::size_t count = instruction == 'a' ? 1 : 2;
        if (!top(count))
            return damaged();
        const std::size_t first = m_stack.size() - count;
        return instruction == 'a' ? append(first) : setItems(first);
    }
    const std::optional<std::size_t> mark = popMark();
    if (!mark)
        return damaged();
    return instruction == 'e' ? append(*mark) : setItems(*mark);
}

/// Moves the values from `first` on into the list below them.
bool Machine::append(std::size_t first)
{
    const std::size_t count = m_stack.size() - first;
    PickleNode *target = top(count);
    auto *list = target ? std::get_if<PickleSequence>(&target->value) : nullptr;
    if (!list || list->isTuple)
        return damaged();
    list->items.insert(list->items.end(), m_stack.begin() + static_cast<std::ptrdiff_t>(first), m_stack.end());
    m_stack.resize(first);
    return true;
}

/// Moves the pairs from `first` on into the dict below them.
bool Machine::setItems(std::size_t first)
{
    const std::size_t count = m_stack.size() - first;
    PickleNode *target = top(count);
    auto *dict = target ? std::get_if<PickleDict>(&target->value) : nullptr;
    if (!dict || count % 2 != 0)
        return damaged();
    for (std::size_t i = first; i < m_stack.size(); i += 2)
        dict->items.emplace_back(m_stack[i], m_stack[i + 1]);
    m_stack.resize(first);
    return true;
}

bool Machine::useMemo(char instruction)
{
    switch (instruction) {
    case 'q': return remember(m_reader.read<std::uint8_t>());
    case 'r': return remember(m_reader.read<std::uint32_t>());
    case 'h': return recall(m_reader.read<std::uint8_t>());
    default: return recall(m_reader.read<std::uint32_t>());
    }
}

bool Machine::remember(std::uint32_t slot)
{
    if (!top())
        return damaged();
    m_memo[slot] = top();
    return true;
}

bool Machine::recall(std::uint32_t slot)
{
    const auto found = m_memo.find(slot);
    if (found == m_memo.end())
        return damaged();
    m_stack.push_back(found->second);
    return true;
}

bool Machine::makeObject(char instruction)
{
    switch (instruction) {
    case '\x80': return protocol();
    case 'c': return global();
    case 'Q': return persistentId();
    case 'R': return reduce();
    default: break;
    }
    // Attributes: an OrderedDict of torch carries version numbers (_metadata), which nobody needs.
    if (!top(1) || !top(1)->as<PickleDict>())
        return damaged();
    m_stack.pop_back();
    return true;
}

bool Machine::protocol()
{
    const auto version = m_reader.read<std::uint8_t>();
    if (version != 2)
        return refuse(ErrorCode::Unsupported,
                      "pickle protocol " + std::to_string(version) + " is not the one torch.save uses");
    return true;
}

bool Machine::global()
{
    const PickleGlobal global{m_reader.line(), m_reader.line()};
    if (!m_reader.ok())
        return false;
    if (!storageType(global) && !isOrderedDict(global) && !isRebuildTensor(global))
        return refuse(ErrorCode::Unsupported, "the file asks for the Python object " + shortened(global.module) + "." +
                                                  shortened(global.name) +
                                                  ", which is not a tensor or plain data and is never run");
    return push(global);
}

/// ("storage", type, key, device, number of elements)
bool Machine::persistentId()
{
    const auto *id = top() ? top()->as<PickleSequence>() : nullptr;
    if (!id || id->items.size() != 5)
        return damaged();
    const auto *kind = id->items[0]->as<std::string_view>();
    const auto *type = id->items[1]->as<PickleGlobal>();
    const auto *key = id->items[2]->as<std::string_view>();
    const auto *elements = id->items[4]->as<std::int64_t>();
    if (!kind || *kind != "storage" || !type || !storageType(*type) || !key || !elements || *elements < 0 ||
        key->size() > kLongestKey)
        return damaged();
    const PickleStorage storage{*storageType(*type), *key, *elements};
    m_stack.pop_back();
    return push(storage);
}

bool Machine::reduce()
{
    const auto *function = top(1) ? top(1)->as<PickleGlobal>() : nullptr;
    const auto *arguments = top() ? top()->as<PickleSequence>() : nullptr;
    if (!function || !arguments)
        return damaged();
    m_stack.resize(m_stack.size() - 2);
    if (isRebuildTensor(*function))
        return rebuildTensor(*arguments);
    if (!isOrderedDict(*function) || !arguments->items.empty())
        return refuse(ErrorCode::Unsupported, "the pickle makes a " + shortened(function->name) + " in an unknown way");
    return push(PickleDict());
}

/// (storage, offset, shape, strides, requires_grad, hooks, [metadata])
bool Machine::rebuildTensor(const PickleSequence &arguments)
{
    if (arguments.items.size() < 4)
        return damaged();
    const auto *storage = arguments.items[0]->as<PickleStorage>();
    const auto *offset = arguments.items[1]->as<std::int64_t>();
    std::optional<std::vector<std::int64_t>> shape = sizes(arguments.items[2]);
    std::optional<std::vector<std::int64_t>> strides = sizes(arguments.items[3]);
    if (!storage || !offset || *offset < 0 || !shape || !strides || shape->size() != strides->size())
        return damaged();
    return push(PickleTensor{*storage, *offset, std::move(*shape), std::move(*strides)});
}

} // namespace

PickleRef PickleDict::find(std::string_view key) const
{
    PickleRef found = nullptr;
    for (const auto &[name, value] : items)
        if (const auto *text = name->as<std::string_view>(); text && *text == key)
            found = value;
    return found;
}

Result<Pickle> readPickle(std::span<const std::byte> bytes, const std::string &file)
{
    return Machine(bytes, file).run();
}

} // namespace lens
