#include "base/freedmemory.h"
#include "base/threadwaiting.h"
#include "cli/commandline.h"

int main(int argc, char **argv)
{
    lens::restartWithShortSpin(argv);
    lens::keepFreedMemory();
    return lens::cli::CommandLine().run(argc, argv);
}
