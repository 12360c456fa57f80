// A training run's measurements, made up.
#pragma once

#include "store/trainingstore.h"

#include <cmath>

namespace lens::test {

inline StepMetrics someStep(std::int64_t step)
{
    return {step, step > 50 ? 1 : 0, 4.0 / std::sqrt(double(step)), 1.0 + 0.01 * double(step), 3e-4, step * 512,
            0.25 * double(step), 2048, step % 7 == 0};
}

inline LayerMetrics someLayers(std::int64_t step)
{
    return {step, 2, 3, {1.5f, 2.5f}, {0.9f, 0.8f}, {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f}};
}

inline TrainingMetrics someMetrics(std::int64_t from, std::int64_t to)
{
    TrainingMetrics metrics;
    for (std::int64_t step = from; step <= to; ++step) {
        metrics.steps.push_back(someStep(step));
        if (step % 10 == 0) {
            metrics.evaluations.push_back({step, 16384, 900.0 / double(step), 43.6});
            metrics.layers.push_back(someLayers(step));
            metrics.samples.push_back({step, "Once upon", " a time é" + std::to_string(step), " a time there was"});
        }
        if (step % 7 == 0)
            metrics.notices.push_back({step, "step " + std::to_string(step) + " was skipped"});
    }
    return metrics;
}

inline TrainingStart someTraining()
{
    return {"/runs/a", "SUPRA of tiny", R"({"seed":7})", 100, "0.1.0"};
}

} // namespace lens::test
