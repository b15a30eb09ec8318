#include "p13-shm-image/pages.h"

#include <linux/mman.h> /* MADV_COLLAPSE */
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* A large page, on the machines that have them. */
enum { LARGE = 2 << 20 };

size_t pages_whole(size_t bytes)
{
	if (bytes < LARGE || bytes > SIZE_MAX - LARGE)
		return bytes;
	return (bytes + LARGE - 1) / LARGE * LARGE;
}

void *pages_room(size_t bytes)
{
	char *room = mmap(NULL, bytes + LARGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (room == MAP_FAILED)
		return NULL;
	munmap(room, bytes + LARGE);
	return room + (LARGE - (uintptr_t)room % LARGE) % LARGE;
}

static bool is_there(uintptr_t at, uintptr_t page)
{
	unsigned char is_resident = 0;

	return mincore((void *)at, page, &is_resident) == 0 && is_resident & 1;
}

/* The kernel makes one of what is there and zeros for the rest, but not of
 * nothing: so one small page first. Where the last one of them is there, it
 * has been made: and not to be asked for again, as the kernel would begin each
 * time with having all processors put away what they have in hand. */
static void make_large(uintptr_t at, uintptr_t page)
{
	if (!is_there(at + LARGE - page, page) &&
	    madvise((void *)at, page, MADV_POPULATE_WRITE) == 0)
		madvise((void *)at, LARGE, MADV_COLLAPSE);
}

void pages_touch(const struct segment *segment, const void *begin, size_t bytes,
		 bool is_written)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = (uintptr_t)segment->at, last = first + segment->bytes;
	uintptr_t at = (uintptr_t)begin / page * page;
	uintptr_t end = (uintptr_t)begin + bytes;

	for (uintptr_t large = at / LARGE * LARGE; is_written && large < end;
	     large += LARGE)
		if (large >= first && large + LARGE <= last)
			make_large(large, page);
	madvise((void *)at, end - at,
		is_written ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

void pages_begin(const struct segment *segment)
{
	if (segment->bytes >= LARGE)
		pages_touch(segment, segment->at, 1, true);
}
