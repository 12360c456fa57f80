// What a plugin includes: further architecture families as a library that is found at run time.
//
//   SUPRALENS_PLUGIN("Mamba", "1.0", "Mamba-1 selective state-space models")
//   {
//       registry.add(std::make_unique<MambaArchitecture>());
//   }
//
// The macro stands once in a plugin. It embeds a descriptor, a line of JSON behind a marker, which is read from the
// file before any of its code runs: a plugin for another interface or another LibTorch is refused unopened. The body
// is run each time the plugin is asked for its architectures; it may throw.
#pragma once

#include "model/architecture.h"

#include <torch/version.h>

/// Raised with every change that a plugin built before would not survive: to a virtual class it derives from or calls,
/// or to a struct it fills.
#define SUPRALENS_PLUGIN_INTERFACE 2

#define SUPRALENS_PLUGIN_MARKER "supralens-plugin-descriptor:"
#define SUPRALENS_PLUGIN_TEXT(x) #x
#define SUPRALENS_PLUGIN_NUMBER(x) SUPRALENS_PLUGIN_TEXT(x)

#define SUPRALENS_PLUGIN(name, version, summary)                                                                       \
    extern "C" __attribute__((visibility("default"), used)) const char supralensPluginDescriptor[] =                   \
        SUPRALENS_PLUGIN_MARKER "{\"interface\":" SUPRALENS_PLUGIN_NUMBER(SUPRALENS_PLUGIN_INTERFACE)                   \
        ",\"libtorch\":\"" TORCH_VERSION "\",\"name\":\"" name "\",\"version\":\"" version "\",\"summary\":\"" summary  \
        "\"}";                                                                                                         \
    extern "C" __attribute__((visibility("default"))) void supralensAddArchitectures(lens::ArchitectureRegistry &registry)

namespace lens {

/// Name and type of the function that SUPRALENS_PLUGIN defines.
inline constexpr const char *pluginEntryName = "supralensAddArchitectures";
using PluginEntry = void (*)(ArchitectureRegistry &);

} // namespace lens
