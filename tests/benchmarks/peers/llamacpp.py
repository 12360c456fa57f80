"""Measures llama.cpp (llama-cpp-python) when questions.py asks: MODEL.gguf THREADS."""
import random
import sys
import time

import llama_cpp

from questions import answer


def main():
    model, threads = sys.argv[1], int(sys.argv[2])
    llama = llama_cpp.Llama(model, n_ctx=4096, n_threads=threads, n_threads_batch=threads, n_batch=512, verbose=False)
    random.seed(1)

    def some(count):
        return [random.randrange(llama.n_vocab()) for _ in range(count)]

    def prefill(count):
        llama.reset()
        ids, start = some(count), time.perf_counter()
        llama.eval(ids)
        return count / (time.perf_counter() - start)

    def decode(count, at):
        llama.reset()
        llama.eval(some(max(1, at)))
        ids, start = some(count), time.perf_counter()
        for token in ids:
            llama.eval([token])
        return count / (time.perf_counter() - start)

    llama.eval(some(8))
    answer(f"llama-cpp-python {llama_cpp.__version__}", prefill, decode)


main()
