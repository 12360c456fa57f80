#include "uptrain/trainingcorpus.h"

namespace lens {

Result<PackedCorpus> openTrainingCorpus(const Recipe &recipe, const Tokenizer &tokenizer, std::stop_token stop,
                                        const ProgressFn &progress)
{
    const TrainingData &data = recipe.data;
    const auto tokens = TokenCache::open({data.files, data.textField, data.separator, data.cacheFolder}, tokenizer,
                                         fingerprint(tokenizer), stop, progress);
    if (!tokens)
        return propagate(tokens);
    return PackedCorpus::create(*tokens, data.heldOut, recipe.sequenceLength, recipe.seed);
}

} // namespace lens
