// Checkpoints of karpathy/llama2.c (.bin), versions 0 (no magic, float32), 1 (float32) and 2 (int8 in groups).
//
// The file has no names and stores each kind of weight for all layers together. The tensors are exposed layer by layer
// under the names of Hugging Face's Llama:
//   model.embed_tokens.weight, model.norm.weight, lm_head.weight (only when the classifier is not shared),
//   model.layers.{i}.input_layernorm.weight, .post_attention_layernorm.weight,
//   .self_attn.{q,k,v,o}_proj.weight, .mlp.{gate,up,down}_proj.weight.
// The rows of q and k stay in the file's order, neighbouring elements forming a RoPE pair, which config() says as
// "rope_interleaved": true. The int8 weights of version 2 have type I8 and are multiplied by their scales when another
// type is asked for; the scales are also tensors of their own, "<name>.scales".
//
// config(): dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len, shared_classifier, version,
// rope_interleaved, and group_size for version 2.
#pragma once

#include "checkpoint/storedcheckpoint.h"

namespace lens {

/// The vocabulary comes from tok<vocab_size>.bin or tokenizer.bin in the same folder, if there is one.
Result<CheckpointContent> readLlama2c(const MappedFilePtr &file);

} // namespace lens
