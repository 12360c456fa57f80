#include "base/threadwaiting.h"
#include "cli/commandline.h"

int main(int argc, char **argv)
{
    lens::restartWithShortSpin(argv);
    return lens::cli::CommandLine().run(argc, argv);
}
