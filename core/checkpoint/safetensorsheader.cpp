#include "checkpoint/safetensorsheader.h"

#include "checkpoint/bytereader.h"

#include <array>
#include <nlohmann/json.hpp>
#include <unordered_set>

namespace lens {

namespace {

constexpr int kDeepestExtra = 16;
constexpr std::string_view kAdvice = "download the file again";

constexpr std::array kPlainTypes{DType::F64, DType::F32, DType::F16, DType::BF16, DType::I64,    DType::I32,
                                 DType::I16, DType::I8,  DType::U8,  DType::Bool, DType::F8E4M3, DType::F8E5M2};

std::optional<DType> typeNamed(std::string_view text)
{
    for (const DType type : kPlainTypes)
        if (name(type) == text)
            return type;
    return std::nullopt;
}

/// Follows the events of nlohmann's parser. Each handler returns false to stop; the reason is then in error().
class HeaderHandler : public nlohmann::json::json_sax_t {
public:
    explicit HeaderHandler(const std::filesystem::path &file) : m_file(file) {}

    SafetensorsHeader take() { return {std::move(m_entries), std::move(m_metadata)}; }
    const Error &error() const { return m_error; }

    bool null() override { return scalar("null"); }
    bool boolean(bool) override { return scalar("a truth value"); }
    bool number_integer(number_integer_t) override { return scalar("a negative number"); }
    bool number_float(number_float_t, const string_t &) override { return scalar("a number that is no whole number"); }
    bool binary(binary_t &) override { return scalar("binary data"); }
    bool number_unsigned(number_unsigned_t value) override;
    bool string(string_t &value) override;
    bool start_object(std::size_t) override;
    bool start_array(std::size_t) override;
    bool key(string_t &value) override;
    bool end_object() override;
    bool end_array() override;
    bool parse_error(std::size_t position, const std::string &, const nlohmann::detail::exception &) override;

private:
    enum class Place { Outside, Header, Metadata, Tensor, Shape, Offsets, Extra };

    bool scalar(const std::string &what);
    bool refuse(ErrorCode code, const std::string &what);
    bool enterTensor();
    bool finishTensor();

    std::filesystem::path m_file;
    Place m_place = Place::Outside;
    int m_extraDepth = 0;
    std::string m_name;  ///< of the tensor, or "__metadata__"
    std::string m_field; ///< inside the tensor
    std::vector<std::uint64_t> m_offsets;
    std::unordered_set<std::string> m_names;
    std::unordered_set<std::string> m_fields; ///< of the current tensor, or keys of the metadata
    HeaderEntry m_entry;
    std::vector<HeaderEntry> m_entries;
    std::map<std::string, std::string> m_metadata;
    Error m_error;
};

bool HeaderHandler::refuse(ErrorCode code, const std::string &what)
{
    const bool inTensor = m_place != Place::Outside && m_place != Place::Header && m_place != Place::Metadata;
    m_error = {code, what, inTensor ? whereIs(m_file, shortened(m_name)) : m_file.string() + ", header",
               std::string(kAdvice)};
    return false;
}

bool HeaderHandler::scalar(const std::string &what)
{
    if (m_place == Place::Extra || (m_place == Place::Tensor && !m_field.empty() && m_field != "dtype" &&
                                    m_field != "shape" && m_field != "data_offsets"))
        return true;
    return refuse(ErrorCode::Malformed, what + " stands where the format does not allow one");
}

bool HeaderHandler::number_unsigned(number_unsigned_t value)
{
    if (m_place == Place::Offsets) {
        if (m_offsets.size() == 2)
            return refuse(ErrorCode::Malformed, "data_offsets has more than two numbers");
        m_offsets.push_back(value);
        return true;
    }
    if (m_place == Place::Shape) {
        if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
            return refuse(ErrorCode::Malformed, "a dimension is too large");
        if (m_entry.info.shape.size() == kMaximumRank)
            return refuse(ErrorCode::LimitExceeded, "the tensor has more than 8 dimensions");
        m_entry.info.shape.push_back(static_cast<std::int64_t>(value));
        return true;
    }
    return scalar("a number");
}

bool HeaderHandler::string(string_t &value)
{
    if (m_place == Place::Metadata) {
        m_metadata[m_field] = std::move(value);
        return true;
    }
    if (m_place != Place::Tensor || m_field != "dtype")
        return scalar("a string");
    const std::optional<DType> type = typeNamed(value);
    if (!type)
        return refuse(ErrorCode::Unsupported, "unknown element type \"" + shortened(value) + "\"");
    m_entry.info.dtype = *type;
    return true;
}

bool HeaderHandler::start_object(std::size_t)
{
    if (m_place == Place::Outside) {
        m_place = Place::Header;
        return true;
    }
    if (m_place == Place::Header)
        return enterTensor();
    if (m_place != Place::Extra && !scalar("an object"))
        return false;
    m_place = Place::Extra;
    return ++m_extraDepth <= kDeepestExtra || refuse(ErrorCode::LimitExceeded, "the header is nested too deeply");
}

bool HeaderHandler::start_array(std::size_t)
{
    if (m_place == Place::Tensor && (m_field == "shape" || m_field == "data_offsets")) {
        m_place = m_field == "shape" ? Place::Shape : Place::Offsets;
        return true;
    }
    if (m_place != Place::Extra && !scalar("an array"))
        return false;
    m_place = Place::Extra;
    return ++m_extraDepth <= kDeepestExtra || refuse(ErrorCode::LimitExceeded, "the header is nested too deeply");
}

bool HeaderHandler::enterTensor()
{
    m_fields.clear();
    m_field.clear();
    m_offsets.clear();
    m_entry = {};
    m_place = m_name == "__metadata__" ? Place::Metadata : Place::Tensor;
    return true;
}

bool HeaderHandler::key(string_t &value)
{
    if (m_place == Place::Extra)
        return true;
    const bool isNew = m_place == Place::Header ? m_names.insert(value).second : m_fields.insert(value).second;
    if (!isNew)
        return refuse(ErrorCode::Malformed, "the key \"" + shortened(value) + "\" occurs twice");
    (m_place == Place::Header ? m_name : m_field) = value;
    return true;
}

bool HeaderHandler::end_object()
{
    switch (m_place) {
    case Place::Extra:
        if (--m_extraDepth == 0)
            m_place = Place::Tensor;
        return true;
    case Place::Tensor: return finishTensor();
    case Place::Metadata: m_place = Place::Header; return true;
    default: m_place = Place::Outside; return true;
    }
}

bool HeaderHandler::end_array()
{
    if (m_place != Place::Extra || --m_extraDepth == 0)
        m_place = Place::Tensor;
    return true;
}

bool HeaderHandler::finishTensor()
{
    for (const char *field : {"dtype", "shape", "data_offsets"})
        if (!m_fields.contains(field))
            return refuse(ErrorCode::Malformed, "it has no " + std::string(field));
    if (m_offsets.size() != 2)
        return refuse(ErrorCode::Malformed, "data_offsets has fewer than two numbers");
    if (m_entries.size() == kMaximumTensors)
        return refuse(ErrorCode::LimitExceeded, "the file announces more than 100000 tensors");
    m_entry.info.name = m_name;
    m_entry.begin = m_offsets[0];
    m_entry.end = m_offsets[1];
    m_entries.push_back(std::move(m_entry));
    m_place = Place::Header;
    return true;
}

bool HeaderHandler::parse_error(std::size_t position, const std::string &, const nlohmann::detail::exception &)
{
    m_place = Place::Header;
    return refuse(ErrorCode::Malformed, "the header is not valid JSON near its byte " + std::to_string(position));
}

} // namespace

Result<SafetensorsHeader> parseSafetensorsHeader(std::string_view json, const std::filesystem::path &file)
{
    HeaderHandler handler(file);
    if (!nlohmann::json::sax_parse(json.begin(), json.end(), &handler))
        return tl::unexpected<Error>(handler.error());
    return handler.take();
}

} // namespace lens
