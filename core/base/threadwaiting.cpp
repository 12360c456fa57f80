#include "base/threadwaiting.h"

#include <cstdlib>
#include <filesystem>
#include <unistd.h>

namespace lens {

void restartWithShortSpin(char **argv)
{
    if (std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY") || setenv("GOMP_SPINCOUNT", "1000", 1) != 0)
        return;
    // By its own path first: a process that was started as "exe" is called so in every list of processes.
    std::error_code error;
    const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
    if (!error)
        execv(program.c_str(), argv);
    execv("/proc/self/exe", argv);
}

} // namespace lens
