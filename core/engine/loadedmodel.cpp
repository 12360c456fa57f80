#include "engine/engine.h"

#include "base/freedmemory.h"

namespace lens {

LoadedModel::LoadedModel(ModelInfo info, std::shared_ptr<const LanguageModel> model, TokenizerPtr tokenizer,
                         std::optional<ChatTemplate> chatTemplate)
    : m_info(std::move(info)), m_model(std::move(model)), m_tokenizer(std::move(tokenizer)), m_chatTemplate(std::move(chatTemplate))
{
}

/// A model is by far the largest thing that goes.
LoadedModel::~LoadedModel()
{
    m_model.reset();
    releaseFreedMemory();
}

} // namespace lens
