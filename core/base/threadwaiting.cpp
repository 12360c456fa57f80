#include "base/threadwaiting.h"

#include <cstdlib>
#include <unistd.h>

namespace lens {

void restartWithShortSpin(char **argv)
{
    if (std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY"))
        return;
    if (setenv("GOMP_SPINCOUNT", "1000", 1) == 0)
        execv("/proc/self/exe", argv);
}

} // namespace lens
