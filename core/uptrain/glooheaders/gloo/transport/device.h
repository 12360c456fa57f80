// Stands in for Gloo's header of this name, which LibTorch's ProcessGroupGloo.hpp includes and its packages leave out.
// Names only: nothing here is constructed or laid out. A LibTorch that brings Gloo's own headers is found first.
#pragma once

namespace gloo::transport {

class Device;
class UnboundBuffer;

} // namespace gloo::transport
