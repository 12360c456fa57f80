// What `generate` and `compare` have in common: the options, and from prompts to ids.
#pragma once

#include "cli/commandline.h"
#include "engine/dump.h"

#include <optional>
#include <string>
#include <vector>

namespace lens::cli {

struct PromptArguments {
    std::vector<std::string> prompts; ///< several: turns of one conversation
    bool chat = false;
    std::string system;
    std::string idsFile;
    GenerationOptions generation;
    std::optional<int> logprobs; ///< asked for, with that many alternatives
    CLI::Option *promptOption = nullptr;
    CLI::Option *idsOption = nullptr;
};

void addPromptOptions(CLI::App &command, PromptArguments &arguments, bool severalPrompts);

/// The sequence of one model's conversation as it grows.
class Dialogue {
public:
    Dialogue(LoadedModelPtr model, const PromptArguments &arguments);

    /// Ids of everything so far and `prompt`, ready to be answered.
    Result<std::vector<TokenId>> ask(const std::string &prompt);

    /// What was answered; becomes part of the next question's ids.
    void answered(const GenerationResult &result);

private:
    LoadedModelPtr m_model;
    bool m_chat;
    std::vector<ChatMessage> m_messages; ///< with a chat template
    std::vector<TokenId> m_ids;          ///< without
};

} // namespace lens::cli
