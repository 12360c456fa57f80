// What becomes of memory that was freed.
#pragma once

namespace lens {

/// A pass over a prompt takes and frees some megabytes for every matrix. As the C library comes, it hands them back to the
/// system and gets them anew, page by page, which took a twentieth of the time; with this it keeps up to 32 MiB. Blocks of
/// 8 MiB and more still come and go on their own. Call it in main(), before there are threads; elsewhere than with glibc it
/// does nothing.
void keepFreedMemory();

/// Hands back to the system what is free, whoever freed it: for when something large has gone. Takes some milliseconds.
void releaseFreedMemory();

} // namespace lens
