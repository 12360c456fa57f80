#include "text/jsontext.h"

#include <fstream>
#include <new>

namespace lens {

namespace {

constexpr int deepest = 64;

bool nestsTooDeeply(std::string_view text)
{
    int depth = 0;
    bool inString = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (inString) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                inString = false;
        } else if (c == '"') {
            inString = true;
        } else if (c == '{' || c == '[') {
            if (++depth > deepest)
                return true;
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    return false;
}

} // namespace

Result<std::string> readTextFile(const std::filesystem::path &file, std::size_t most)
try {
    std::error_code error;
    if (!std::filesystem::exists(file, error))
        return fail(ErrorCode::NotFound, "there is no such file", file.string());
    if (!std::filesystem::is_regular_file(file, error))
        return fail(ErrorCode::Io, "this is not a file", file.string());
    const auto size = std::filesystem::file_size(file, error);
    if (error)
        return fail(ErrorCode::Io, "the file cannot be read: " + error.message(), file.string());
    if (size > most)
        return fail(ErrorCode::LimitExceeded,
                    "the file has " + std::to_string(size) + " bytes, more than the " + std::to_string(most)
                        + " that make sense here",
                    file.string(), "check that it is the right file");
    std::string text(size, '\0');
    std::ifstream stream(file, std::ios::binary);
    if (!stream.read(text.data(), static_cast<std::streamsize>(size)) && size > 0)
        return fail(ErrorCode::Io, "the file cannot be read", file.string(), "check its permissions");
    return text;
} catch (const std::bad_alloc &) {
    return fail(ErrorCode::OutOfMemory, "not enough memory to read the file", file.string());
}

Result<nlohmann::json> parseJson(std::string_view text, const std::string &where)
{
    if (nestsTooDeeply(text))
        return fail(ErrorCode::LimitExceeded, "the JSON nests more than " + std::to_string(deepest) + " deep", where,
                    "check that it is the right file");
    try {
        return nlohmann::json::parse(text);
    } catch (const nlohmann::json::parse_error &e) {
        return fail(ErrorCode::Malformed, "this is not valid JSON, from byte " + std::to_string(e.byte), where,
                    "the file is damaged; get it again");
    } catch (const nlohmann::json::exception &e) {
        return fail(ErrorCode::Malformed, std::string("this is not valid JSON: ") + e.what(), where,
                    "the file is damaged; get it again");
    } catch (const std::bad_alloc &) {
        return fail(ErrorCode::OutOfMemory, "not enough memory to read the JSON", where);
    }
}

} // namespace lens
