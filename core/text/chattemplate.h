// Chat templates. The Jinja source in a model file is untrusted and is never executed: known templates are recognised
// by their source and rendered by code of ours; others are refused with a clear message.
#pragma once

#include "base/result.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lens {

enum class Role { System, User, Assistant };

std::string_view name(Role role);

struct ChatMessage {
    Role role = Role::User;
    std::string content;

    bool operator==(const ChatMessage &) const = default;
};

class ChatTemplate {
public:
    enum class Family { ChatMl, SmolLm2, Llama2, Llama3, Mistral, Zephyr };

    /// ErrorCode::Unsupported when the source is none that is known here; `where` names the model.
    static Result<ChatTemplate> recognise(std::string_view jinja, const std::string &where);

    explicit ChatTemplate(Family family, std::string bos = {}, std::string eos = {});

    Family family() const { return m_family; }
    std::string_view name() const;

    /// The prompt text, to be encoded with parseSpecial and without addSpecial (the template writes bos itself where
    /// the original does). `addGenerationPrompt` opens the assistant's next turn.
    Result<std::string> render(std::span<const ChatMessage> messages, bool addGenerationPrompt) const;

private:
    Family m_family;
    std::string m_bos;
    std::string m_eos;
};

} // namespace lens
