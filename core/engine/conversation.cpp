#include "engine/engine.h"

namespace lens {

Result<std::vector<TokenId>> encodeConversation(const LoadedModel &model, std::span<const ChatMessage> messages)
{
    if (!model.tokenizer())
        return fail(ErrorCode::Unsupported, "the model came without a tokenizer", model.info().name,
                    "put tokenizer.json or tokenizer.model beside the weights");
    if (model.chatTemplate()) {
        const bool continues = !messages.empty() && messages.back().role == Role::Assistant;
        const auto prompt = continues ? model.chatTemplate()->renderContinuation(messages)
                                      : model.chatTemplate()->renderSegments(messages, true);
        if (!prompt)
            return propagate(prompt);
        return model.tokenizer()->encodeSegments(*prompt, false);
    }
    std::string text;
    for (const ChatMessage &message : messages)
        text += message.content;
    return model.tokenizer()->encode(text);
}

} // namespace lens
