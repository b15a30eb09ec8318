/* copy.h - how fast one processor copies memory.
 *
 * No message that is copied from one place to another can be faster: it is the
 * machine's own figure, and another one for each level of the caches.
 */
#ifndef UNIXIPC_LIB_MEASURE_COPY_H
#define UNIXIPC_LIB_MEASURE_COPY_H

#include <stddef.h>

/* memcpy(3) of that many bytes, from one buffer to another, again and again:
 * the median of some rounds, each of 256 MB at least. Allocates both buffers;
 * 0 when there is no memory. */
double copy_bytes_per_s(size_t bytes);

#endif
