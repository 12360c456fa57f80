// Everything that determines a pre-norm decoder, apart from its weights: Llama, Mistral, open_lm and every conversion
// of them. Saved as config.json of this project's own folders.
#pragma once

#include "base/result.h"
#include "mixer/mixerconfig.h"

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace lens {

struct FeedForwardConfig {
    enum class Kind {
        SwiGlu,  ///< down(silu(gate x) * up x)
        GeGlu,   ///< down(gelu(gate x) * up x)
        Gelu,    ///< down(gelu(up x))
    };

    Kind kind = Kind::SwiGlu;
    std::int64_t width = 0;

    bool operator==(const FeedForwardConfig &) const = default;
};

struct DecoderConfig {
    std::string architecture;         ///< "llama", "mistral", "open_lm"
    std::int64_t vocabulary = 0;
    std::int64_t hiddenSize = 0;
    std::int64_t trainedContext = 0;  ///< tokens
    bool tiedEmbeddings = false;
    bool embeddingNorm = false;
    NormConfig norm;
    FeedForwardConfig feedForward;
    std::vector<MixerConfig> layers;

    std::string origin;      ///< how it came to be, when it was converted
    bool untrained = false;  ///< converted and not uptrained

    bool operator==(const DecoderConfig &) const = default;
};

/// Head counts divide, sizes are positive, decays are in (0,1], numbers are finite.
Result<void> validate(const DecoderConfig &config, const std::string &where);

nlohmann::json toJson(const DecoderConfig &config);
Result<DecoderConfig> decoderConfigFromJson(const nlohmann::json &json, const std::string &where);

} // namespace lens
