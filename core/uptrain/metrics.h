// What a training run measures. Plain data: for the window, the command line, the run's log and the workspace.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lens {

struct StepMetrics {
    std::int64_t step = 0;   ///< done, counted over all stages from 1
    std::int64_t stage = 0;  ///< index
    double loss = 0;         ///< of the stage's objective: nats a token, or relative squared error
    double gradientNorm = 0; ///< before clipping
    double learningRate = 0;
    std::int64_t tokens = 0; ///< trained on since the run began
    double seconds = 0;      ///< of training since the run began, pauses and evaluations left out
    double tokensPerSecond = 0;
    bool skipped = false;    ///< loss or gradient was not finite: nothing was changed
};

struct EvaluationMetrics {
    std::int64_t step = 0;
    std::int64_t tokens = 0;       ///< held-out tokens that were scored
    double perplexity = 0;
    double originalPerplexity = 0; ///< of the softmax original on the same tokens; 0 when there is none
};

/// On a held-out batch; linear layers against the softmax layers of the original, on the original's own hidden states.
struct LayerMetrics {
    std::int64_t step = 0;
    std::int64_t layers = 0, heads = 0;
    std::vector<float> largestActivation; ///< [layers] max |x| of the residual stream after each block
    std::vector<float> outputError;       ///< [layers] ||y - y_original||^2 / ||y_original||^2 of the mixer's output; NaN: not converted
    std::vector<float> headFidelity;      ///< [layers x heads] mean over tokens of cos(o, o_original), 1 = the same direction; NaN: not converted
};

struct SampleMetrics {
    std::int64_t step = 0;
    std::string prompt;
    std::string text;         ///< the model's greedy continuation
    std::string originalText; ///< that of the original; empty when there is none
};

struct TrainingNotice {
    std::int64_t step = 0;
    std::string text;  ///< "step 12 was skipped: the gradient is not finite (layers.3.mixer...)"
};

} // namespace lens
