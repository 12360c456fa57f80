// Which texts `sample` is to make, and which of them are there already.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace lens::cli {

struct SampleRow {
    std::int64_t index = 0;
    const std::string *prompt = nullptr;
    double temperature = 1;
    std::uint64_t seed = 0;  ///< below 2^53, so that every reader of JSON gets it right
};

/// The prompts in turn, each text with a seed and a temperature of its own that depend on its index alone.
class SamplePlan {
public:
    SamplePlan(std::vector<std::string> prompts, std::int64_t count, double coldest, double hottest, std::uint64_t seed);

    std::int64_t count() const { return m_count; }
    SampleRow row(std::int64_t index) const;

    /// Leaves out what a file of samples holds. ErrorCode::Mismatch when it was made with other prompts or seeds.
    Result<void> leaveOut(const std::string &file);
    std::int64_t left() const { return m_count - static_cast<std::int64_t>(m_done.size()); }

    /// At most `most` rows that are not done yet, from `next` on, which is moved behind them.
    std::vector<SampleRow> take(std::int64_t &next, std::size_t most) const;

private:
    std::vector<std::string> m_prompts;
    std::int64_t m_count;
    double m_coldest;
    double m_hottest;
    std::uint64_t m_seed;
    std::set<std::int64_t> m_done;
};

/// The lines of a file that are not empty.
Result<std::vector<std::string>> readPrompts(const std::string &file);

} // namespace lens::cli
