"""Measures Hugging Face transformers in float32 when questions.py asks: MODEL.gguf THREADS."""
import os
import sys
import time

import torch
import transformers

from questions import answer


def main():
    path, threads = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(threads)
    transformers.logging.set_verbosity_error()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        os.path.dirname(path), gguf_file=os.path.basename(path), dtype=torch.float32).eval()
    torch.manual_seed(1)

    def some(count):
        return torch.randint(0, model.config.vocab_size, (1, count))

    @torch.inference_mode()
    def prefill(count):
        ids, start = some(count), time.perf_counter()
        model(ids, use_cache=True)
        return count / (time.perf_counter() - start)

    @torch.inference_mode()
    def decode(count, at):
        cache = model(some(max(1, at)), use_cache=True).past_key_values
        ids, start = some(count), time.perf_counter()
        for i in range(count):
            model(ids[:, i:i + 1], past_key_values=cache, use_cache=True)
        return count / (time.perf_counter() - start)

    prefill(8)
    answer(f"transformers {transformers.__version__}, torch {torch.__version__}", prefill, decode)


main()
