// supralens-plugin-trial FILE: opens one plugin as the program would, and says what went wrong.
#include "model/plugins.h"

#include <cstdio>

int main(int argc, char **argv)
{
    if (argc != 2) {
        std::fputs("usage: supralens-plugin-trial FILE\n", stderr);
        return 2;
    }
    lens::ArchitectureRegistry registry;
    if (const auto opened = lens::openPlugin(argv[1], registry); !opened) {
        std::puts(opened.error().what.c_str());
        return 1;
    }
    return 0;
}
