// What "equal" means, in one place and the same everywhere.
#pragma once

namespace lens::test {

/// Two forms of one mixer, float32: relative to the largest value of the result.
inline constexpr double kFormsRelative = 1e-4;

/// Logits against another implementation, float32: relative to the range of the golden logits.
inline constexpr double kLogitsOfRange = 2e-4;

/// Recurrent states against another implementation, float32: relative to the largest value of the golden state.
inline constexpr double kStateRelative = 1e-4;

/// Mean over elements, bfloat16 arithmetic against float32, relative to the standard deviation of the reference.
inline constexpr double kBFloat16MeanRelative = 0.05;

} // namespace lens::test
