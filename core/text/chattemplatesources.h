// Which of the known templates a Jinja source is.
#pragma once

#include "text/chattemplate.h"

#include <optional>
#include <string>

namespace lens {

/// The source with what does not change its output taken out: white space between tokens, the kind of quotes, escaped
/// or written-out line breaks, "a" + "b" for "ab", message.role for message['role']; text between the tags is trimmed
/// as transformers tells Jinja to (trim_blocks, lstrip_blocks). Nothing is executed.
std::string canonicalTemplate(std::string_view jinja);

/// nullopt when the source does anything else than the known templates.
std::optional<ChatTemplate::Family> familyOfSource(std::string_view jinja);

} // namespace lens
