// The normalizers of tokenizer.json.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace lens {

class NormalizeStep {
public:
    virtual ~NormalizeStep() = default;
    virtual std::string apply(std::string text) const = 0;
};

using NormalizeStepPtr = std::unique_ptr<const NormalizeStep>;

enum class UnicodeForm { Nfc, Nfd, Nfkc, Nfkd };

NormalizeStepPtr makeUnicodeNormalizer(UnicodeForm form);
NormalizeStepPtr makeLowercase();
NormalizeStepPtr makePrepend(std::string prefix);
NormalizeStepPtr makeReplace(std::string from, std::string to);
NormalizeStepPtr makeStrip(bool left, bool right);

class Normalizer {
public:
    void add(NormalizeStepPtr step) { m_steps.push_back(std::move(step)); }

    /// `text` is valid UTF-8.
    std::string apply(std::string text) const;
    bool empty() const { return m_steps.empty(); }

private:
    std::vector<NormalizeStepPtr> m_steps;
};

} // namespace lens
