#include "text/tokenizertraining.h"

#include <sentencepiece_trainer.h>

#include <algorithm>
#include <new>
#include <unordered_map>

namespace lens {

namespace {

constexpr std::size_t kLongestLine = 4000;
constexpr std::int64_t kFixedPieces = 3 + 256;
constexpr std::int64_t kLargestVocabulary = 1'000'000;

/// Hands the lines of the texts to the trainer one by one; line breaks themselves are left to the byte pieces. Lines too
/// long for the trainer are cut, at a space where there is one.
class Lines : public sentencepiece::SentenceIterator {
public:
    Lines(const TextSource &next, const std::stop_token &stop) : m_next(next), m_stop(stop) { Next(); }

    bool done() const override { return m_done; }
    const std::string &value() const override { return m_line; }
    // The trainer is told that all is well and the failure reported afterwards, with its code.
    sentencepiece::util::Status status() const override { return {}; }

    void Next() override
    {
        m_line.clear();
        while (!m_done && m_line.empty()) {
            if (m_begin < m_text.size())
                takeLine();
            else
                takeText();
        }
        m_any = m_any || !m_line.empty();
    }

    bool any() const { return m_any; }
    const std::optional<Error> &failure() const { return m_failure; }

private:
    void takeText()
    {
        m_begin = 0;
        Result<std::optional<std::string>> text = m_next();
        if (!text)
            m_failure = text.error();
        if (m_stop.stop_requested())
            m_failure = Error{ErrorCode::Cancelled, "training the tokenizer was cancelled", {}, {}};
        m_done = m_failure || !*text;
        m_text = m_done ? std::string() : std::move(**text);
    }

    void takeLine()
    {
        std::size_t end = std::min(m_text.find('\n', m_begin), m_text.size());
        std::size_t next = end + 1;
        if (end - m_begin > kLongestLine) {
            const std::size_t space = m_text.rfind(' ', m_begin + kLongestLine);
            next = space != m_text.npos && space > m_begin ? space : characterStart(m_begin + kLongestLine);
            end = next;
        }
        m_line = m_text.substr(m_begin, end - m_begin);
        // The trainer takes no NUL; text of that kind teaches nothing anyway.
        m_line.erase(std::remove(m_line.begin(), m_line.end(), '\0'), m_line.end());
        m_begin = next;
    }

    std::size_t characterStart(std::size_t at) const
    {
        std::size_t start = at;
        while (start > at - 4 && (static_cast<unsigned char>(m_text[start]) & 0xc0) == 0x80)
            --start;
        return start;
    }

    const TextSource &m_next;
    std::stop_token m_stop;
    std::string m_text, m_line;
    std::size_t m_begin = 0;
    bool m_done = false;
    bool m_any = false;
    std::optional<Error> m_failure;
};

/// Without the place in the trainer's own sources: "./src/trainer.cc(660) [(a) == (b)] Vocabulary size too high".
std::string reason(const sentencepiece::util::Status &status)
{
    const std::string message = status.error_message();
    const std::size_t place = message.rfind("] ");
    return place == message.npos ? message : message.substr(place + 2);
}

std::unordered_map<std::string, std::string> argumentsFor(const TokenizerTraining &options)
{
    return {
        {"model_type", options.model == TokenizerTraining::Model::Bpe ? "bpe" : "unigram"},
        {"vocab_size", std::to_string(options.vocabulary)},
        {"unk_id", "0"},
        {"bos_id", "1"},
        {"eos_id", "2"},
        {"pad_id", "-1"},
        {"byte_fallback", "true"},
        {"split_digits", "true"},
        {"allow_whitespace_only_pieces", "true"},
        {"add_dummy_prefix", "true"},
        {"remove_extra_whitespaces", "false"},
        {"normalization_rule_name", "identity"},
        {"character_coverage", "0.99995"},  // Llama's
        {"max_sentence_length", std::to_string(2 * kLongestLine)},
        {"input_sentence_size", std::to_string(options.mostLines)},
        {"shuffle_input_sentence", "true"},
        {"num_threads", "4"},  // fixed: unigram's sums depend on it
        {"minloglevel", "3"},
    };
}

} // namespace

Result<std::string> trainTokenizer(const TextSource &next, const TokenizerTraining &options, std::stop_token stop)
try {
    if (options.vocabulary <= kFixedPieces || options.vocabulary > kLargestVocabulary)
        return fail(ErrorCode::InvalidArgument,
                    "a vocabulary of " + std::to_string(options.vocabulary) + " pieces cannot be trained", {},
                    "3 control tokens and 256 bytes are part of it; 1,024 to 64,000 are usual");
    if (options.mostLines < 1)
        return fail(ErrorCode::InvalidArgument, "a tokenizer cannot be trained on no lines");
    Lines lines(next, stop);
    if (lines.failure())
        return tl::unexpected<Error>(*lines.failure());
    if (!lines.any())
        return fail(ErrorCode::InvalidArgument, "there is no text to train the tokenizer on");
    sentencepiece::SetRandomGeneratorSeed(static_cast<unsigned>(options.seed));
    std::string model;
    const sentencepiece::util::Status status =
        sentencepiece::SentencePieceTrainer::Train(argumentsFor(options), &lines, &model);
    if (lines.failure())
        return tl::unexpected<Error>(*lines.failure());
    if (!status.ok())
        return fail(ErrorCode::InvalidArgument,
                    "no tokenizer of " + std::to_string(options.vocabulary) + " pieces can be trained on this text: " +
                        reason(status),
                    {}, "choose another size of the vocabulary, or more text");
    if (stop.stop_requested())
        return fail(ErrorCode::Cancelled, "training the tokenizer was cancelled");
    return model;
} catch (const std::bad_alloc &) {
    return fail(ErrorCode::OutOfMemory, "not enough memory to train the tokenizer", {}, "use less text");
} catch (const std::exception &error) {
    return fail(ErrorCode::Internal, std::string("the tokenizer's trainer failed: ") + error.what());
}

} // namespace lens
