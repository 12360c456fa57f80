#include "cli/sampleplan.h"

#include "cli/format.h"
#include "corpus/linesource.h"
#include "engine/sampler.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace lens::cli {

SamplePlan::SamplePlan(std::vector<std::string> prompts, std::int64_t count, double coldest, double hottest,
                       std::uint64_t seed)
    : m_prompts(std::move(prompts)), m_count(count), m_coldest(coldest), m_hottest(hottest), m_seed(seed)
{
}

SampleRow SamplePlan::row(std::int64_t index) const
{
    SampleRow row;
    row.index = index;
    row.prompt = &m_prompts[static_cast<std::size_t>(index) % m_prompts.size()];
    row.seed = static_cast<std::uint64_t>(std::ldexp(uniformAt(m_seed, static_cast<std::uint64_t>(index)), 53));
    // A position that no token has, so that the temperature says nothing about what is drawn.
    const double place = uniformAt(row.seed, std::numeric_limits<std::uint64_t>::max() - 1);
    row.temperature = m_coldest + (m_hottest - m_coldest) * place;
    return row;
}

Result<void> SamplePlan::leaveOut(const std::string &file)
{
    Result<LineSource> lines = LineSource::open(file);
    if (!lines)
        return propagate(lines);
    while (true) {
        const Result<std::optional<std::string>> line = lines->next();
        if (!line)
            return propagate(line);
        if (!*line)
            return {};
        const auto sample = nlohmann::json::parse(**line, nullptr, false);
        const auto number = [&](const char *key) -> std::optional<std::uint64_t> {
            if (!sample.is_object() || !sample.contains(key) || !sample[key].is_number_unsigned())
                return std::nullopt;
            return sample[key].get<std::uint64_t>();
        };
        const auto index = number("index"), seed = number("seed");
        if (!index || !seed || !sample.contains("prompt"))
            return fail(ErrorCode::Malformed, "this is no sample", lines->where(), "choose another name with --out");
        if (*index >= static_cast<std::uint64_t>(m_count))
            continue;
        const SampleRow row = this->row(static_cast<std::int64_t>(*index));
        if (row.seed != *seed || sample["prompt"] != validUtf8(*row.prompt))
            return fail(ErrorCode::Mismatch, "sample " + std::to_string(*index) + " was made with another seed or prompt",
                        lines->where(), "give the same --seed and --prompts, or another --out");
        m_done.insert(row.index);
    }
}

std::vector<SampleRow> SamplePlan::take(std::int64_t &next, std::size_t most) const
{
    std::vector<SampleRow> rows;
    for (; next < m_count && rows.size() < most; ++next)
        if (!m_done.contains(next))
            rows.push_back(row(next));
    return rows;
}

Result<std::vector<std::string>> readPrompts(const std::string &file)
{
    Result<LineSource> lines = LineSource::open(file);
    if (!lines)
        return propagate(lines);
    std::vector<std::string> prompts;
    while (true) {
        Result<std::optional<std::string>> line = lines->next();
        if (!line)
            return propagate(line);
        if (!*line)
            break;
        if (!(*line)->empty())
            prompts.push_back(std::move(**line));
    }
    if (prompts.empty())
        return fail(ErrorCode::InvalidArgument, "there are no prompts", file, "write one prompt a line");
    return prompts;
}

} // namespace lens::cli
