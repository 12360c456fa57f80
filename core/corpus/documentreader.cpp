#include "corpus/documentreader.h"

#include "text/jsontext.h"

#include <algorithm>
#include <filesystem>
#include <limits>

namespace lens {

namespace {

constexpr const char *idsField = "ids";

bool isBlank(const std::string &text)
{
    return text.find_first_not_of(" \t\r\n\v\f") == text.npos;
}

Result<std::vector<TokenId>> idsOf(const nlohmann::json &list, const std::string &where)
{
    constexpr const char *advice = "ids is to be a list of whole numbers from 0";
    if (!list.is_array())
        return fail(ErrorCode::Malformed, "the field \"ids\" is not a list", where, advice);
    std::vector<TokenId> ids;
    ids.reserve(list.size());
    for (const nlohmann::json &id : list) {
        const bool isId = id.is_number_unsigned() && id.get<std::uint64_t>() <= std::numeric_limits<TokenId>::max();
        if (!isId)
            return fail(ErrorCode::Malformed, "entry " + std::to_string(ids.size()) + " of \"ids\" is no token id", where,
                        advice);
        ids.push_back(id.get<TokenId>());
    }
    return ids;
}

} // namespace

bool isJsonLines(const std::string &file)
{
    std::filesystem::path name = file;
    if (name.extension() == ".gz")
        name = name.stem();
    return name.extension() == ".jsonl" || name.extension() == ".ndjson";
}

DocumentReader::DocumentReader(std::string file, DocumentFormat format, LineSource lines)
    : m_file(std::move(file)), m_format(std::move(format)), m_lines(std::move(lines)), m_isJson(isJsonLines(m_file))
{
}

Result<DocumentReader> DocumentReader::open(const std::string &file, DocumentFormat format)
{
    Result<LineSource> lines = LineSource::open(file);
    if (!lines)
        return propagate(lines);
    return DocumentReader(file, std::move(format), std::move(*lines));
}

Result<std::optional<Document>> DocumentReader::next()
{
    while (true) {
        Result<std::optional<Document>> document = m_isJson ? nextJson() : nextText();
        const bool skipped = document && *document && !(*document)->ids && isBlank((*document)->text);
        if (!skipped)
            return document;
    }
}

Result<std::optional<Document>> DocumentReader::nextText()
{
    Document document;
    bool any = false;
    while (true) {
        Result<std::optional<std::string>> line = m_lines.next();
        if (!line)
            return propagate(line);
        if (!*line)
            break;
        if (!any)
            document.line = m_lines.line();
        if (!m_format.separator.empty() && **line == m_format.separator) {
            any = true;
            break;
        }
        if (any)
            document.text += '\n';
        document.text += **line;
        any = true;
        if (document.text.size() > longestDocument)
            return fail(ErrorCode::LimitExceeded, "a document is longer than 256 MiB", m_lines.where(),
                        "part the documents by lines that say " +
                            (m_format.separator.empty() ? std::string("<|endoftext|>") : m_format.separator));
    }
    return any ? std::optional(std::move(document)) : std::nullopt;
}

Result<std::optional<Document>> DocumentReader::nextJson()
{
    while (true) {
        Result<std::optional<std::string>> line = m_lines.next();
        if (!line)
            return propagate(line);
        if (!*line)
            return std::optional<Document>();
        if (isBlank(**line))
            continue;
        Result<Document> document = fromJson(**line);
        if (!document)
            return propagate(document);
        return std::optional(std::move(*document));
    }
}

Result<Document> DocumentReader::fromJson(const std::string &line) const
{
    const std::string where = m_lines.where();
    Result<nlohmann::json> object = parseJson(line, where);
    if (!object)
        return propagate(object);
    if (!object->is_object())
        return fail(ErrorCode::Malformed, "the line is not a JSON object", where, "JSON lines hold one object a line");
    Document document;
    document.line = m_lines.line();
    if (const auto ids = object->find(idsField); ids != object->end()) {
        Result<std::vector<TokenId>> read = idsOf(*ids, where);
        if (!read)
            return propagate(read);
        document.ids = std::move(*read);
    }
    const auto text = object->find(m_format.textField);
    if (text != object->end() && text->is_string())
        document.text = std::move(text->get_ref<std::string &>());
    else if (!document.ids)
        return fail(ErrorCode::Malformed, "there is no text in the field \"" + m_format.textField + "\"", where,
                    "name the field that holds the text");
    return document;
}

} // namespace lens
