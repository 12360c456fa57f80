// How fast several sequences are decoded at once, and what watching costs.
// sessions MODEL THREADS COLUMNS TOKENS [probes] prints {"tokens_per_second": of all columns together}.
#include "engine/engine.h"
#include "tensor/device.h"

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

using namespace lens;

namespace {

struct Wish {
    int columns = 1;
    std::int64_t tokens = 0;
    bool probes = false;
};

bool generate(DecodeSession &session, std::span<const TokenId> prompt, std::int64_t tokens, bool probes, std::atomic<std::int64_t> &frames)
{
    GenerationOptions options;
    options.maxTokens = tokens;
    options.ignoreEndOfText = true;
    GenerationCallbacks callbacks;
    if (probes)
        callbacks.stateNorms = callbacks.retention = [&](const HeadFrame &) { ++frames; };
    const auto result = session.generate(prompt, options, callbacks, {});
    if (!result)
        std::fprintf(stderr, "%s\n", result.error().what.c_str());
    return result.has_value();
}

/// Seconds that all columns take together, from the first decoded token on; negative when one failed.
double measure(const LoadedModelPtr &model, const Wish &wish)
{
    std::atomic<std::int64_t> frames{0};
    std::atomic<bool> failed{false};
    std::chrono::steady_clock::time_point start;
    std::barrier begin(wish.columns, [&]() noexcept { start = std::chrono::steady_clock::now(); });
    std::vector<std::thread> columns;
    for (int i = 0; i < wish.columns; ++i)
        columns.emplace_back([&] {
            auto session = DecodeSession::create(model);
            std::vector<TokenId> prompt{1, 2, 3, 4, 5, 6, 7, 8};
            failed = failed || !session || !generate(**session, prompt, 2, wish.probes, frames);
            begin.arrive_and_wait();
            if (failed)
                return;
            const auto seen = (*session)->tokens();
            failed = failed || !generate(**session, {seen.data(), seen.size()}, wish.tokens, wish.probes, frames);
        });
    for (std::thread &column : columns)
        column.join();
    return failed ? -1 : std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

int main(int argc, char **argv)
{
    if (argc < 5) {
        std::fprintf(stderr, "usage: sessions MODEL THREADS COLUMNS TOKENS [probes]\n");
        return 2;
    }
    setThreadCount(std::atoi(argv[2]));
    const Wish wish{std::atoi(argv[3]), std::atoll(argv[4]), argc > 5 && std::string(argv[5]) == "probes"};
    const auto model = loadModel(argv[1], {});
    if (!model) {
        std::fprintf(stderr, "%s\n", model.error().what.c_str());
        return 1;
    }
    const double seconds = measure(*model, wish);
    if (seconds <= 0)
        return 1;
    std::printf("{\"tokens_per_second\": %.2f}\n", static_cast<double>(wish.columns * wish.tokens) / seconds);
    return 0;
}
