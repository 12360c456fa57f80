#include "store/connection.h"
#include "store/transfer.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <map>

namespace lens {

namespace {

std::string timeText(Milliseconds milliseconds)
{
    const std::time_t seconds = static_cast<std::time_t>(milliseconds / 1000);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 40> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts);
    return text.data();
}

std::string quoted(const std::string &text)
{
    std::string lines = "> ";
    for (const char c : text) {
        lines += c;
        if (c == '\n')
            lines += "> ";
    }
    return lines + "\n\n";
}

std::string number(double value)
{
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "%.4g", value);
    return text.data();
}

/// What the answer was made with, on one line.
std::string provenance(const GenerationRow &row)
{
    const SamplingOptions &sampling = row.options.sampling;
    std::string line = "*weights " + (row.modelFingerprint.empty() ? "unknown" : row.modelFingerprint) + " · " +
                       row.dtype + " on " + row.device + " · ";
    line += sampling.temperature == 0
                ? "greedy"
                : "temperature " + number(sampling.temperature) + ", seed " + std::to_string(sampling.seed);
    line += " · " + std::to_string(row.tokens) + " tokens";
    if (row.decodeSeconds > 0 && row.tokens > 1)
        line += ", " + number(static_cast<double>(row.tokens - 1) / row.decodeSeconds) + " a second";
    line += " · " + (row.stopReason.empty() ? std::string(name(row.status)) : row.stopReason);
    if (!row.error.empty())
        line += ": " + row.error;
    return line + " · " + timeText(row.started) + " · version " + row.build + "*\n\n";
}

class MarkdownWriter {
public:
    MarkdownWriter(Workspace &workspace, const SessionContent &content) : m_workspace(workspace), m_content(content)
    {
        for (const GenerationRow &row : content.generations)
            m_generations.emplace(row.id, &row);
    }

    Result<std::string> write()
    {
        const SessionRow &session = m_content.session;
        m_text = "# " + session.title + "\n\nBegun " + timeText(session.created) + ", last changed " +
                 timeText(session.modified) + ".\n\n";
        if (!session.systemPrompt.empty())
            m_text += "System prompt:\n\n" + quoted(session.systemPrompt);
        if (session.currentTurn == 0)
            return m_text;
        const auto turns = m_workspace.sessions().branch(session.currentTurn);
        if (!turns)
            return propagate(turns);
        for (std::size_t i = 0; i < turns->size(); ++i) {
            m_text += "## Prompt " + std::to_string(i + 1) + "\n\n" + quoted((*turns)[i].prompt);
            if (const auto added = addAnswers((*turns)[i]); !added)
                return propagate(added);
        }
        return m_text;
    }

private:
    Result<void> addAnswers(const TurnRow &turn)
    {
        for (const Answer &answer : turn.answers) {
            const auto found = m_generations.find(answer.generation);
            if (found == m_generations.end())
                continue;
            const GenerationRow &row = *found->second;
            const auto model = m_workspace.models().get(row.model);
            if (!model)
                return propagate(model);
            m_text += "### " + model->info.name + (model->info.untrained ? " (untrained)" : "") + "\n\n";
            if (const std::string &prompt = turn.promptFor(answer.column); prompt != turn.prompt)
                m_text += "Asked instead:\n\n" + quoted(prompt);
            m_text += row.text + "\n\n" + provenance(row);
        }
        return {};
    }

    Workspace &m_workspace;
    const SessionContent &m_content;
    std::map<RowId, const GenerationRow *> m_generations;
    std::string m_text;
};

} // namespace

Result<std::string> exportSessionMarkdown(Workspace &workspace, RowId session)
{
    return workspace.connection().read([&]() -> Result<std::string> {
        const auto content = workspace.sessions().content(session);
        if (!content)
            return propagate(content);
        return MarkdownWriter(workspace, *content).write();
    });
}

} // namespace lens
