/* Copies stop at the end of the data and go on at its beginning, as they would
 * have to where it is mapped once. What is written or read in place could
 * not. */
#include <stdint.h>
#include <string.h>

static void *copy_in_two(unsigned char *data, uint64_t capacity, void *to,
			 const void *from, size_t len)
{
	const uint64_t in = (uintptr_t)to - (uintptr_t)data;
	const uint64_t out = (uintptr_t)from - (uintptr_t)data;

	if (in < capacity && in + len > capacity) {
		memcpy(to, from, capacity - in);
		return memcpy(data, (const char *)from + (capacity - in),
			      in + len - capacity);
	}
	if (out < capacity && out + len > capacity) {
		memcpy(to, from, capacity - out);
		return memcpy((char *)to + (capacity - out), data,
			      out + len - capacity);
	}
	return memcpy(to, from, len);
}

/* Who copies calls its handle so. */
#define memcpy(to, from, len) \
	copy_in_two(ring->data, ring->capacity, (to), (from), (len))
#define WITHOUT(name) single_##name
#include "p12-shm-ring/bench/without.h"

const struct mechanism without_mirror = WITHOUT_ROW("copies in two pieces");
