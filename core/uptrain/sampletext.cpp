#include "uptrain/sampletext.h"

#include "engine/engine.h"

namespace lens {

Result<std::string> continueGreedily(LanguageModelPtr model, TokenizerPtr tokenizer, const std::string &prompt, std::int64_t tokens,
                                     std::stop_token stop)
{
    const auto ids = tokenizer->encode(prompt);
    if (!ids)
        return propagate(ids);
    ModelInfo info = model->describe();
    const auto loaded = std::make_shared<const LoadedModel>(std::move(info), std::move(model), std::move(tokenizer), std::nullopt);
    auto session = DecodeSession::create(loaded);
    if (!session)
        return propagate(session);
    GenerationOptions options;
    options.sampling.temperature = 0;
    options.maxTokens = tokens;
    auto result = (*session)->generate(*ids, options, {}, stop);
    if (!result)
        return propagate(result);
    return std::move(result->text);
}

} // namespace lens
