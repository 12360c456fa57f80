// Files made byte by byte, for the tests of what must be refused.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace handmade {

template <class T>
std::string number(T value)
{
    return {reinterpret_cast<const char *>(&value), sizeof value};
}

inline void save(const std::filesystem::path &file, std::string_view bytes)
{
    std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string load(const std::filesystem::path &file)
{
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

inline std::string safetensors(const std::string &header, std::size_t dataBytes = 0)
{
    return number<std::uint64_t>(header.size()) + header + std::string(dataBytes, '\1');
}

// GGUF

inline std::string ggufString(const std::string &text)
{
    return number<std::uint64_t>(text.size()) + text;
}

/// A key-value pair; `value` as it lies in the file.
inline std::string ggufPair(const std::string &key, std::uint32_t type, const std::string &value)
{
    return ggufString(key) + number(type) + value;
}

inline std::string ggufArray(const std::string &key, std::uint32_t elementType, std::uint64_t count,
                             const std::string &elements)
{
    return ggufPair(key, 9, number(elementType) + number(count) + elements);
}

inline std::string ggufTensor(const std::string &name, const std::vector<std::uint64_t> &dims, std::uint32_t type,
                              std::uint64_t offset)
{
    std::string result = ggufString(name) + number(static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t dim : dims)
        result += number(dim);
    return result + number(type) + number(offset);
}

inline std::string gguf(const std::vector<std::string> &pairs, const std::vector<std::string> &tensors,
                        std::size_t dataBytes = 0, std::uint32_t version = 3)
{
    std::string result =
        "GGUF" + number(version) + number<std::uint64_t>(tensors.size()) + number<std::uint64_t>(pairs.size());
    for (const std::string &pair : pairs)
        result += pair;
    for (const std::string &tensor : tensors)
        result += tensor;
    result.resize((result.size() + 31) / 32 * 32, '\0');
    return result + std::string(dataBytes, '\1');
}

// torch's zip

struct ZipOptions {
    std::uint16_t method = 0;
    std::uint32_t extraSize = 0; ///< added to every size in the directory
    std::string extraField = {}; ///< of every entry of the directory
    bool withEnd = true;
};

inline std::string zip(const std::vector<std::pair<std::string, std::string>> &entries, const ZipOptions &options = {})
{
    std::string body;
    std::string directory;
    for (const auto &[name, content] : entries) {
        const std::string size = number(static_cast<std::uint32_t>(content.size() + options.extraSize));
        const std::string common = number<std::uint16_t>(20) + number<std::uint16_t>(0) + number(options.method) +
                                   number<std::uint32_t>(0) + number<std::uint32_t>(0) + size + size +
                                   number(static_cast<std::uint16_t>(name.size()));
        directory += number<std::uint32_t>(0x02014b50) + number<std::uint16_t>(20) + common +
                     number(static_cast<std::uint16_t>(options.extraField.size())) + std::string(10, '\0') +
                     number(static_cast<std::uint32_t>(body.size())) + name + options.extraField;
        body += number<std::uint32_t>(0x04034b50) + common + number<std::uint16_t>(0) + name + content;
    }
    const auto count = number(static_cast<std::uint16_t>(entries.size()));
    if (!options.withEnd)
        return body + directory;
    return body + directory + number<std::uint32_t>(0x06054b50) + std::string(4, '\0') + count + count +
           number(static_cast<std::uint32_t>(directory.size())) + number(static_cast<std::uint32_t>(body.size())) +
           std::string(2, '\0');
}

// pickles

inline std::string pickleText(const std::string &text)
{
    return "X" + number(static_cast<std::uint32_t>(text.size())) + text;
}

inline std::string pickleInt(std::int32_t value)
{
    return "J" + number(value);
}

inline std::string pickleTuple(const std::vector<std::int32_t> &values)
{
    std::string result = "(";
    for (const std::int32_t value : values)
        result += pickleInt(value);
    return result + "t";
}

struct TensorPickle {
    std::string storage = "FloatStorage";
    std::int32_t elements = 6;
    std::int32_t offset = 0;
    std::vector<std::int32_t> shape{2, 3};
    std::vector<std::int32_t> strides{3, 1};
};

inline std::string pickleTensor(const TensorPickle &tensor)
{
    return "ctorch._utils\n_rebuild_tensor_v2\n((" + pickleText("storage") + "ctorch\n" + tensor.storage + "\n" +
           pickleText("0") + pickleText("cpu") + pickleInt(tensor.elements) + "tQ" + pickleInt(tensor.offset) +
           pickleTuple(tensor.shape) + pickleTuple(tensor.strides) + "\x89" + "ccollections\nOrderedDict\n)RtR";
}

/// A torch file with the tensor "w" (or any other pickled dict) and six floats of data.
inline std::string torchFile(const std::string &pickle)
{
    return zip({{"x/data.pkl", pickle}, {"x/data/0", std::string(24, '\1')}, {"x/version", "3\n"}});
}

inline std::string torchFile(const TensorPickle &tensor)
{
    return torchFile("\x80\x02}(" + pickleText("w") + pickleTensor(tensor) + "u.");
}

} // namespace handmade
