#include "p06-bench/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#define RING_BYTES ((size_t)1 << 20)
#define LINE ((size_t)64)

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

void slots_init(struct slots *slots, size_t message_bytes, size_t extra)
{
	size_t stride = round_up(message_bytes, LINE);
	size_t n = RING_BYTES / stride;

	*slots = (struct slots){.message_bytes = message_bytes,
				.stride = stride,
				.n = n > SLOTS_MAX ? SLOTS_MAX
				     : n           ? n
						   : 1};
	slots->map_bytes = round_up(extra, LINE) + 2 * slots->n * stride;
}

int slots_map(struct slots *slots, int fd)
{
	unsigned char *map;
	int r;

	do
		r = posix_fallocate(fd, 0, (off_t)slots->map_bytes);
	while (r == EINTR);
	if (r)
		return -r;
	map = mmap(NULL, slots->map_bytes, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_POPULATE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	slots->map = map;
	slots->ring[1] = map + slots->map_bytes - slots->n * slots->stride;
	slots->ring[0] = slots->ring[1] - slots->n * slots->stride;
	return 0;
}

void slots_unmap(struct slots *slots)
{
	if (slots->map)
		munmap(slots->map, slots->map_bytes);
	slots->map = NULL;
}

void slots_attach(struct slots *slots, enum mechanism_side side)
{
	slots->tx = side == MECHANISM_A ? 0 : 1;
}

static unsigned char *next(const struct slots *slots, int ring, size_t *slot)
{
	unsigned char *at = slots->ring[ring] + *slot * slots->stride;

	*slot = *slot + 1 == slots->n ? 0 : *slot + 1;
	return at;
}

void slots_put(struct slots *slots, const void *message)
{
	memcpy(next(slots, slots->tx, &slots->sent), message,
	       slots->message_bytes);
}

void slots_take(struct slots *slots, void *message)
{
	memcpy(message, next(slots, !slots->tx, &slots->received),
	       slots->message_bytes);
}

int slots_check(size_t message_bytes, char *why, size_t why_size)
{
	struct slots slots;
	struct statvfs fs;
	size_t room;

	if (statvfs("/dev/shm", &fs) < 0)
		return 0; /* then creating it says what is wrong */
	slots_init(&slots, message_bytes, LINE);
	room = (size_t)fs.f_bavail * fs.f_frsize;
	if (fs.f_blocks == 0 || slots.map_bytes <= room)
		return 0;
	snprintf(why, why_size,
		 "/dev/shm has %zu bytes free, %zu are needed; raise: "
		 "mount -o remount,size=%zuM /dev/shm",
		 room, slots.map_bytes,
		 (size_t)(fs.f_blocks * fs.f_frsize + slots.map_bytes) >> 20);
	return -ENOSPC;
}
