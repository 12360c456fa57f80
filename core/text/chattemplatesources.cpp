#include "text/chattemplatesources.h"

#include <algorithm>
#include <string>

namespace lens {

namespace {

using Family = ChatTemplate::Family;

constexpr std::size_t longestKnownSource = 8192;
constexpr char quote = '\x01';  // around string literals of the canonical form

bool isBlank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void replaceAll(std::string &text, std::string_view from, std::string_view to)
{
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
}

char unescaped(char c)
{
    return c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
}

// The code of one tag: no white space outside literals, literals unescaped between quote characters.
std::string canonicalCode(std::string_view code)
{
    std::string result;
    char open = '\0';
    for (std::size_t i = 0; i < code.size(); ++i) {
        const char c = code[i];
        if (open == '\0') {
            if (c == '\'' || c == '"')
                open = c;
            if (!isBlank(c))
                result += c == open ? quote : c;
        } else if (c == open) {
            open = '\0';
            result += quote;
        } else if (c == '\\' && i + 1 < code.size()) {
            result += unescaped(code[++i]);
        } else {
            result += c;
        }
    }
    for (const char *field : {"role", "content"})
        replaceAll(result, std::string("message.") + field, std::string("message[") + quote + field + quote + ']');
    return result;
}

class Canonicaliser {
public:
    explicit Canonicaliser(std::string_view source) : m_source(source)
    {
        // Jinja drops one line break at the end.
        if (m_source.ends_with('\n'))
            m_source.remove_suffix(1);
    }

    std::string run()
    {
        while (m_at < m_source.size()) {
            const std::size_t tag = nextTag();
            text(m_source.substr(m_at, tag - m_at), tag);
            if (tag == m_source.size())
                break;
            m_at = tag;
            readTag();
        }
        closeOutput();
        const std::string q(1, quote);
        replaceAll(m_result, q + '+' + q, "");
        return m_result;
    }

private:
    std::size_t nextTag() const
    {
        for (std::size_t at = m_at; at + 1 < m_source.size(); ++at) {
            if (m_source[at] == '{' && (m_source[at + 1] == '{' || m_source[at + 1] == '%' || m_source[at + 1] == '#'))
                return at;
        }
        return m_source.size();
    }

    void text(std::string_view text, std::size_t tag)
    {
        std::string trimmed(text);
        if (m_trimAfter)
            trimmed.erase(0, std::min(trimmed.find_first_not_of(" \t\r\n\v\f"), trimmed.size()));
        else if (m_afterBlock && trimmed.starts_with('\n'))
            trimmed.erase(0, 1);
        const bool atTag = tag < m_source.size();
        if (atTag && tag + 2 < m_source.size() && m_source[tag + 2] == '-') {
            trimmed.erase(trimmed.find_last_not_of(" \t\r\n\v\f") + 1);
        } else if (atTag && m_source[tag + 1] != '{') {
            const std::size_t line = trimmed.rfind('\n');
            const std::size_t start = line == std::string::npos ? 0 : line + 1;
            const bool wholeLine = line != std::string::npos || m_at == 0 || m_afterBlock;
            if (wholeLine && trimmed.find_first_not_of(" \t", start) == std::string::npos)
                trimmed.erase(start);
        }
        if (!trimmed.empty())
            output(quote + trimmed + quote);
    }

    void readTag()
    {
        const char kind = m_source[m_at + 1];
        const std::string close = kind == '{' ? "}}" : std::string(1, kind) + "}";
        const std::size_t end = m_source.find(close, m_at + 2);
        std::string_view code = m_source.substr(m_at + 2, (end == std::string_view::npos ? m_source.size() : end)
                                                              - m_at - 2);
        m_at = end == std::string_view::npos ? m_source.size() : end + close.size();
        if (code.starts_with('-'))
            code.remove_prefix(1);
        m_trimAfter = code.ends_with('-');
        if (m_trimAfter)
            code.remove_suffix(1);
        m_afterBlock = kind != '{';
        if (kind == '{')
            output(canonicalCode(code));
        else if (kind == '%')
            statement(canonicalCode(code));
    }

    // Outputs that follow one another are one sum.
    void output(const std::string &expression)
    {
        m_result += m_inOutput ? "+" : "{{";
        m_result += expression;
        m_inOutput = true;
    }

    void closeOutput()
    {
        if (m_inOutput)
            m_result += "}}";
        m_inOutput = false;
    }

    void statement(const std::string &code)
    {
        closeOutput();
        m_result += "{%" + code + "%}";
    }

    std::string_view m_source;
    std::size_t m_at = 0;
    bool m_trimAfter = false, m_afterBlock = false, m_inOutput = false;
    std::string m_result;
};

// The known templates, as their publishers' tokenizer_config.json files have them.
struct Known {
    Family family;
    std::string_view source;
};

constexpr Known known[] = {
    {Family::ChatMl,
     R"({% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n'}})"
     R"({% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %})"},
    {Family::SmolLm2,
     R"({% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n)"
     R"(You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %})"
     R"({{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n'}}{% endfor %})"
     R"({% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %})"},
    {Family::Llama2,
     R"({% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %})"
     R"({% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %})"
     R"({% set system_message = false %}{% endif %}{% for message in loop_messages %})"
     R"({% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %})"
     R"({{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %})"
     R"({% if loop.index0 == 0 and system_message != false %})"
     R"({% set content = '<<SYS>>\n' + system_message + '\n<</SYS>>\n\n' + message['content'] %}{% else %})"
     R"({% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %})"
     R"({{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %})"
     R"({{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %})"},
    {Family::Llama3,
     R"({% set loop_messages = messages %}{% for message in loop_messages %})"
     R"({% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim)"
     R"( + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }})"
     R"({% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }})"
     R"({% endif %})"},
    {Family::Mistral,
     R"({{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %})"
     R"({{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %})"
     R"({% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }})"
     R"({% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}{% else %})"
     R"({{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %})"},
    {Family::MistralV1,
     R"({{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %})"
     R"({{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %})"
     R"({% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }})"
     R"({% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token + ' ' }}{% else %})"
     R"({{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %})"},
    {Family::Zephyr,
     "{% for message in messages %}\n{% if message['role'] == 'user' %}\n"
     "{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n"
     "{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n"
     "{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
     "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"},
};

// Only matters to callers that leave add_generation_prompt out, which none here does.
constexpr std::string_view defaultPrompt =
    "{%ifnotadd_generation_promptisdefined%}{%setadd_generation_prompt=false%}{%endif%}";

} // namespace

std::string canonicalTemplate(std::string_view jinja)
{
    std::string result = Canonicaliser(jinja).run();
    replaceAll(result, defaultPrompt, "");
    return result;
}

std::optional<ChatTemplate::Family> familyOfSource(std::string_view jinja)
{
    if (jinja.size() > longestKnownSource)
        return std::nullopt;
    const std::string wanted = canonicalTemplate(jinja);
    const auto found = std::find_if(std::begin(known), std::end(known), [&wanted](const Known &each) {
        return canonicalTemplate(each.source) == wanted;
    });
    return found == std::end(known) ? std::nullopt : std::optional(found->family);
}

} // namespace lens
