// How OpenMP's threads wait for work.
#pragma once

namespace lens {

/// LibTorch's OpenMP threads spin while they wait, which starves everything else on the machine: two models that decode
/// at once on two cores ran at a fifth of their speed. OpenMP reads its settings before main() begins, so this starts
/// the program anew, once, with a short spin; it returns when the environment says something about it already, and
/// where it cannot. Call it first in main().
void restartWithShortSpin(char **argv);

} // namespace lens
