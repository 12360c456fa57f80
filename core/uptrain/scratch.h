// A model to train from scratch: its configuration, and weights that a seed determines.
#pragma once

#include "model/decoder.h"

namespace lens {

/// A JSON file with the keys of a Hugging Face Llama config.json (hidden_size, intermediate_size, num_hidden_layers,
/// num_attention_heads, num_key_value_heads, vocab_size, max_position_embeddings, rope_theta, rms_norm_eps,
/// tie_word_embeddings), or this program's own config.json. ErrorCode::Mismatch when it has a vocabulary of another
/// size than the tokenizer; without a vocab_size it takes the tokenizer's.
Result<DecoderConfig> scratchConfig(const std::string &file, std::int64_t vocabulary);

/// float32: matrices normal with deviation 1/sqrt(inputs), those that write to the residual stream divided by
/// sqrt(2 layers) (GPT-2), embeddings 0.02, norms one, biases zero, feature maps as in a conversion.
Result<std::shared_ptr<const Decoder>> scratchDecoder(const DecoderConfig &config, std::uint64_t seed);

} // namespace lens
