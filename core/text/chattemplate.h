// Chat templates. The Jinja source in a model file is untrusted and is never executed: known templates are recognised
// by their source and rendered by code of ours; others are refused with a clear message.
#pragma once

#include "base/result.h"
#include "text/tokenizer.h"

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
    enum class Family {
        ChatMl,
        SmolLm2,    ///< ChatML with a system prompt of its own when the conversation has none
        Llama2,
        Llama3,
        Mistral,    ///< "[INST] ... [/INST]", eos directly after the answer (v0.2)
        MistralV1,  ///< the same with a space after eos
        Zephyr,
    };

    /// ErrorCode::Unsupported when the source is none that is known here; `where` names the model. `bos` and `eos` are
    /// the model's own spelling of these tokens; when empty, the family's usual one.
    static Result<ChatTemplate> recognise(std::string_view jinja, const std::string &where, std::string bos = {},
                                          std::string eos = {});

    explicit ChatTemplate(Family family, std::string bos = {}, std::string eos = {});

    Family family() const { return m_family; }
    std::string_view name() const;

    /// The prompt in segments: what the template writes, where control tokens count, and what people and models wrote,
    /// where "<|im_end|>" is only text. To be encoded with Tokenizer::encodeSegments() without addSpecial (the template
    /// writes bos itself where the original does). `addGenerationPrompt` opens the assistant's next turn.
    /// ErrorCode::InvalidArgument for a conversation that the original refuses (roles that do not alternate), or of
    /// which it would silently leave out a message.
    Result<std::vector<TextSegment>> renderSegments(std::span<const ChatMessage> messages,
                                                    bool addGenerationPrompt) const;

    /// The prompt up to the end of the last message, which is the assistant's and is to be continued: what the template
    /// writes after it is left out. Where the template strips messages, this one is stripped, too. An empty last message
    /// opens the assistant's turn. ErrorCode::InvalidArgument also when the last message is another's.
    Result<std::vector<TextSegment>> renderContinuation(std::span<const ChatMessage> messages) const;

    /// renderSegments() as one text, equal to the original's to the letter. For display: encoding it with parseSpecial would
    /// let the content of a message pass for control tokens.
    Result<std::string> render(std::span<const ChatMessage> messages, bool addGenerationPrompt) const;

private:
    Family m_family;
    std::string m_bos;
    std::string m_eos;
};

} // namespace lens
