#include "cli/prompting.h"

#include "cli/models.h"

#include <algorithm>

namespace lens::cli {

void addPromptOptions(CLI::App &command, PromptArguments &arguments, bool severalPrompts)
{
    const std::string again = severalPrompts ? "; given again: the next turn" : "";
    CLI::Option_group *input = command.add_option_group("Input");
    arguments.promptOption =
        input->add_option("--prompt", arguments.prompts, "The prompt" + again)->allow_extra_args(false);
    if (!severalPrompts)
        arguments.promptOption->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    arguments.idsOption =
        input->add_option("--ids", arguments.idsFile, "Token ids: safetensors with input_ids, or a JSON list of lists")
            ->option_text("FILE");
    input->require_option(1);

    CLI::Option *chat =
        command.add_flag("--chat", arguments.chat, "The prompt is a user's turn: use the chat template");
    command.add_option("--system", arguments.system, "System message")->needs(chat);
    chat->excludes(arguments.idsOption);

    GenerationOptions &options = arguments.generation;
    SamplingOptions &sampling = options.sampling;
    const std::string group = "Generation";
    const auto positive = CLI::Range(0.0, 1e6).description("");
    command.add_option("--max-tokens", options.maxTokens, "Tokens to generate at most")
        ->capture_default_str()
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40).description(""))
        ->group(group);
    command.add_option("--temperature", sampling.temperature, "0 is greedy")
        ->capture_default_str()
        ->check(positive)
        ->group(group);
    command.add_option("--top-k", sampling.topK, "Among the K most probable; 0 = off")
        ->check(CLI::Range(0, 1 << 30).description(""))
        ->group(group);
    command.add_option("--top-p", sampling.topP, "Among the most probable that make up X; 1 = off")
        ->check(CLI::Range(0.0, 1.0).description(""))
        ->group(group);
    command.add_option("--min-p", sampling.minP, "Not less probable than X times the best; 0 = off")
        ->check(CLI::Range(0.0, 1.0).description(""))
        ->group(group);
    command.add_option("--repeat-penalty", sampling.repetitionPenalty, "For tokens seen before; 1 = off")
        ->check(CLI::Range(1e-6, 1e6).description(""))
        ->group(group);
    command.add_option("--frequency-penalty", sampling.frequencyPenalty, "Per occurrence; 0 = off")
        ->check(CLI::Range(-1e6, 1e6).description(""))
        ->group(group);
    command.add_option("--presence-penalty", sampling.presencePenalty, "Once per token; 0 = off")
        ->check(CLI::Range(-1e6, 1e6).description(""))
        ->group(group);
    command.add_option("--penalty-window", sampling.penaltyWindow, "Tokens the penalties look back; 0 = all")
        ->capture_default_str()
        ->check(CLI::Range(0, 1 << 30).description(""))
        ->group(group);
    command.add_option("--seed", sampling.seed, "Same seed, same text")->group(group);
    command.add_option("--stop", options.stopStrings, "Stop where this text would begin; may be given again")
        ->allow_extra_args(false)
        ->group(group);
    command.add_option("--logprobs", arguments.logprobs, "Log-probabilities, and the K most probable at each step")
        ->check(CLI::Range(0, 1000).description(""))
        ->option_text("K")
        ->group(group);
    command.add_flag("--ignore-eos", options.ignoreEndOfText, "Go on after an end-of-text token")->group(group);
    command.add_flag("--plain-path", options.plainPath, "Without the fused path for single tokens: slower")->group(group);
}

Dialogue::Dialogue(LoadedModelPtr model, const PromptArguments &arguments)
    : m_model(std::move(model)), m_chat(arguments.chat)
{
    if (m_chat && !arguments.system.empty())
        m_messages.push_back({Role::System, arguments.system});
}

Result<std::vector<TokenId>> Dialogue::ask(const std::string &prompt)
{
    const Result<TokenizerPtr> tokenizer = requireTokenizer(*m_model);
    if (!tokenizer)
        return propagate(tokenizer);
    if (m_chat) {
        const ModelInfo &info = m_model->info();
        if (!m_model->chatTemplate())
            return fail(ErrorCode::Unsupported,
                        info.chatTemplateNote.empty() ? "this model has no chat template" : info.chatTemplateNote,
                        info.path, "leave out --chat");
        m_messages.push_back({Role::User, prompt});
        return encodeConversation(*m_model, m_messages);
    }
    const Result<std::vector<TokenId>> ids = (*tokenizer)->encode(prompt, {.addSpecial = m_ids.empty()});
    if (!ids)
        return ids;
    m_ids.insert(m_ids.end(), ids->begin(), ids->end());
    if (m_ids.empty())
        return fail(ErrorCode::InvalidArgument, "the prompt has no tokens", m_model->info().path,
                    "this tokenizer adds none of its own: give some text");
    return m_ids;
}

void Dialogue::answered(const GenerationResult &result)
{
    if (m_chat) {
        m_messages.push_back({Role::Assistant, result.text});
        return;
    }
    m_ids.insert(m_ids.end(), result.ids.begin(), result.ids.end());
    if (result.reason == StopReason::EndOfText && !result.ids.empty())
        m_ids.pop_back();
}

} // namespace lens::cli
