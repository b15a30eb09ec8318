/* crc32c.c - isa-l's CRC-32C, which leaves it to its caller to invert the
 * register before and after. */
#include "lib/crc32c.h"

#include <assert.h>
#include <isa-l/crc.h>
#include <limits.h>

uint32_t crc32c(const void *bytes, size_t len)
{
	return crc32c_more(0, bytes, len);
}

uint32_t crc32c_more(uint32_t crc, const void *bytes, size_t len)
{
	assert(len <= INT_MAX);
	/* It does not write, though its parameter is not const. */
	return ~crc32_iscsi((unsigned char *)bytes, (int)len, ~crc);
}
