#include "model/plugin.h"
#include "rwkvarchitecture.h"

SUPRALENS_PLUGIN("RWKV", "1.0", "RWKV-4 and RWKV-5 with the World tokenizer")
{
    registry.add(std::make_unique<lens::rwkv::RwkvArchitecture>());
}
