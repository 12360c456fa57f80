#include "cli/commandline.h"

int main(int argc, char **argv)
{
    return lens::cli::CommandLine().run(argc, argv);
}
