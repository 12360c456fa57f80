#include "text/chattemplate.h"

#include "text/chattemplatesources.h"

#include <unicode/uchar.h>

namespace lens {

namespace {

using Family = ChatTemplate::Family;
using Segments = std::vector<TextSegment>;

constexpr std::string_view smolLm2System = "You are a helpful AI assistant named SmolLM, trained by Hugging Face";

// White space as Python's str.strip(), which the templates call, understands it.
bool isSpace(char32_t c)
{
    return (c >= 0x1C && c <= 0x1F) || u_isUWhiteSpace(static_cast<UChar32>(c));
}

std::string_view rightStripped(std::string_view text)
{
    std::size_t end = 0;
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Char character = utf8At(text, at);
        at += character.length;
        if (!isSpace(character.codePoint))
            end = at;
    }
    return text.substr(0, end);
}

std::string_view stripped(std::string_view text)
{
    text = rightStripped(text);
    while (!text.empty()) {
        const Utf8Char character = utf8At(text, 0);
        if (!isSpace(character.codePoint))
            break;
        text.remove_prefix(character.length);
    }
    return text;
}

class Writer {
public:
    void control(std::string_view text) { append(text, true); }
    void content(std::string_view text) { append(text, false); }
    Segments take() { return std::move(m_segments); }

private:
    void append(std::string_view text, bool isControl)
    {
        if (text.empty())
            return;
        if (m_segments.empty() || m_segments.back().isControl != isControl)
            m_segments.push_back({{}, isControl});
        m_segments.back().text += text;
    }

    Segments m_segments;
};

std::string roleName(const ChatMessage &message)
{
    return std::string(name(message.role));
}

tl::unexpected<Error> refuse(const std::string &what)
{
    return fail(ErrorCode::InvalidArgument, what, "chat template", "edit the conversation so that it fits the model");
}

void writeChatMl(Writer &out, std::span<const ChatMessage> messages, std::string_view defaultSystem, bool generate)
{
    if (!defaultSystem.empty() && !messages.empty() && messages.front().role != Role::System)
        out.control("<|im_start|>system\n" + std::string(defaultSystem) + "<|im_end|>\n");
    for (const ChatMessage &message : messages) {
        out.control("<|im_start|>" + roleName(message) + "\n");
        out.content(message.content);
        out.control("<|im_end|>\n");
    }
    if (generate)
        out.control("<|im_start|>assistant\n");
}

void writeLlama3(Writer &out, std::span<const ChatMessage> messages, const std::string &bos, bool generate)
{
    if (!messages.empty())
        out.control(bos);
    for (const ChatMessage &message : messages) {
        out.control("<|start_header_id|>" + roleName(message) + "<|end_header_id|>\n\n");
        out.content(stripped(message.content));
        out.control("<|eot_id|>");
    }
    if (generate)
        out.control("<|start_header_id|>assistant<|end_header_id|>\n\n");
}

void writeZephyr(Writer &out, std::span<const ChatMessage> messages, const std::string &eos, bool generate)
{
    for (const ChatMessage &message : messages) {
        out.control("<|" + roleName(message) + "|>\n");
        out.content(message.content);
        out.control(eos + "\n");
    }
    if (generate && !messages.empty())
        out.control("<|assistant|>\n");
}

Result<void> checkTurns(std::span<const ChatMessage> turns)
{
    for (std::size_t i = 0; i < turns.size(); ++i) {
        if (turns[i].role == Role::System)
            return refuse("a system message stands where this model's template allows none");
        if ((turns[i].role == Role::User) != (i % 2 == 0))
            return refuse("the messages do not alternate between user and assistant, beginning with the user");
    }
    return {};
}

Result<void> writeLlama2(Writer &out, std::span<const ChatMessage> messages, const std::string &bos,
                         const std::string &eos)
{
    const bool hasSystem = !messages.empty() && messages.front().role == Role::System;
    const auto turns = messages.subspan(hasSystem ? 1 : 0);
    if (auto good = checkTurns(turns); !good)
        return good;
    for (std::size_t i = 0; i < turns.size(); ++i) {
        const std::string_view content = stripped(turns[i].content);
        if (turns[i].role == Role::Assistant) {
            out.control(" ");
            out.content(content);
            out.control(" " + eos);
            continue;
        }
        out.control(bos + "[INST] ");
        if (i == 0 && hasSystem) {
            out.control("<<SYS>>\n");
            out.content(messages.front().content);
            // The template strips block and message as one text, so only the end of the message.
            const std::string_view message = rightStripped(turns[i].content);
            out.control(message.empty() ? "\n<</SYS>>" : "\n<</SYS>>\n\n");
            out.content(message);
        } else {
            out.content(content);
        }
        out.control(" [/INST]");
    }
    return {};
}

Result<void> writeMistral(Writer &out, std::span<const ChatMessage> messages, const std::string &bos,
                          const std::string &endOfAnswer)
{
    if (auto good = checkTurns(messages); !good)
        return good;
    out.control(bos);
    for (const ChatMessage &message : messages) {
        if (message.role == Role::User)
            out.control("[INST] ");
        out.content(message.content);
        out.control(message.role == Role::User ? " [/INST]" : endOfAnswer);
    }
    return {};
}

const char *usualBos(Family family)
{
    return family == Family::Llama3 ? "<|begin_of_text|>" : "<s>";
}

} // namespace

std::string_view name(Role role)
{
    switch (role) {
    case Role::System: return "system";
    case Role::User: return "user";
    case Role::Assistant: return "assistant";
    }
    return {};
}

ChatTemplate::ChatTemplate(Family family, std::string bos, std::string eos)
    : m_family(family), m_bos(bos.empty() ? usualBos(family) : std::move(bos)),
      m_eos(eos.empty() ? "</s>" : std::move(eos))
{
}

std::string_view ChatTemplate::name() const
{
    switch (m_family) {
    case Family::ChatMl: return "ChatML";
    case Family::SmolLm2: return "SmolLM2";
    case Family::Llama2: return "Llama 2";
    case Family::Llama3: return "Llama 3";
    case Family::Mistral: return "Mistral Instruct";
    case Family::MistralV1: return "Mistral Instruct v0.1";
    case Family::Zephyr: return "Zephyr";
    }
    return {};
}

Result<ChatTemplate> ChatTemplate::recognise(std::string_view jinja, const std::string &where, std::string bos,
                                             std::string eos)
{
    if (jinja.empty())
        return fail(ErrorCode::Unsupported, "the model brings no chat template", where,
                    "use it for plain continuation, or choose a chat model");
    if (const auto family = familyOfSource(jinja))
        return ChatTemplate(*family, std::move(bos), std::move(eos));
    return fail(ErrorCode::Unsupported,
                "the model's chat template is none of those known here, and templates are "
                "never executed",
                where,
                "use it for plain continuation, or choose a template by hand: ChatML, SmolLM2, Llama 2, Llama 3, "
                "Mistral or Zephyr");
}

Result<std::vector<TextSegment>> ChatTemplate::renderSegments(std::span<const ChatMessage> messages,
                                                              bool addGenerationPrompt) const
{
    Writer out;
    Result<void> done;
    switch (m_family) {
    case Family::ChatMl: writeChatMl(out, messages, {}, addGenerationPrompt); break;
    case Family::SmolLm2: writeChatMl(out, messages, smolLm2System, addGenerationPrompt); break;
    case Family::Llama2: done = writeLlama2(out, messages, m_bos, m_eos); break;
    case Family::Llama3: writeLlama3(out, messages, m_bos, addGenerationPrompt); break;
    case Family::Mistral: done = writeMistral(out, messages, m_bos, m_eos); break;
    case Family::MistralV1: done = writeMistral(out, messages, m_bos, m_eos + " "); break;
    case Family::Zephyr: writeZephyr(out, messages, m_eos, addGenerationPrompt); break;
    }
    if (!done)
        return propagate(done);
    return out.take();
}

Result<std::vector<TextSegment>> ChatTemplate::renderContinuation(std::span<const ChatMessage> messages) const
{
    if (messages.empty() || messages.back().role != Role::Assistant)
        return refuse("there is no answer at the end that could be continued");
    if (stripped(messages.back().content).empty())
        return renderSegments(messages.first(messages.size() - 1), true);
    auto segments = renderSegments(messages, false);
    if (segments && segments->back().isControl)
        segments->pop_back();
    return segments;
}

Result<std::string> ChatTemplate::render(std::span<const ChatMessage> messages, bool addGenerationPrompt) const
{
    const auto segments = renderSegments(messages, addGenerationPrompt);
    if (!segments)
        return propagate(segments);
    std::string text;
    for (const TextSegment &segment : *segments)
        text += segment.text;
    return text;
}

} // namespace lens
