#include "base/freedmemory.h"

#include <cstdlib>  // which says whether the C library is glibc
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace lens {

void keepFreedMemory()
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 8 << 20);
    mallopt(M_TRIM_THRESHOLD, 32 << 20);
#endif
}

void releaseFreedMemory()
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

} // namespace lens
