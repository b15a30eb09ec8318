/* A peer that writes any bytes anywhere into the shared memory, between the
 * calls of an honest side: what it is given lies within the ring. Each step is
 * 12 bytes of the input: what to do, where to write, what. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "p12-shm-ring/ring.h"
#include "p12-shm-ring/ring_format.h"
#include "p12-shm-ring/ring_handle.h"

enum { CAPACITY = 4096, STEP = 12, BATCH = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(const struct ring *ring, void *message, size_t len)
{
	unsigned char *bytes = message;
	const unsigned char *end = ring->data + 2 * ring->capacity;
	static volatile unsigned char sink;

	if (bytes < ring->data || len > ring->capacity || bytes + len > end)
		abort();
	for (size_t i = 0; i < len; i++)
		sink = bytes[i];
	(void)sink;
}

static void lie(unsigned char *map, const uint8_t *step)
{
	uint16_t at;

	memcpy(&at, step + 2, sizeof(at));
	/* Any word of the header, or of the data. */
	memcpy(map + at % (4096 + CAPACITY - 8), step + 4, 8);
}

static void act(struct ring *tx, struct ring *rx, uint8_t what, size_t len)
{
	struct iovec messages[BATCH];
	void *place;
	ssize_t n;

	switch (what % 4) {
	case 0:
		if (ring_reserve(tx, len, &place, 0) == 0) {
			touch(tx, place, len);
			memset(place, what, len);
			ring_commit(tx, len);
		}
		break;
	case 1:
		n = ring_peek(rx, &place, 0);
		if (n >= 0) {
			touch(rx, place, (size_t)n);
			ring_release(rx);
		}
		break;
	case 2:
		n = ring_peek_batch(rx, messages, BATCH, 0);
		for (ssize_t i = 0; i < n; i++)
			touch(rx, messages[i].iov_base, messages[i].iov_len);
		if (n > 0)
			ring_release(rx);
		break;
	default:
		ring_drain(tx, 0);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = ring_memfd(CAPACITY);
	unsigned char *map = mmap(NULL, 4096 + CAPACITY, PROT_READ | PROT_WRITE,
				  MAP_SHARED, fd, 0);
	struct ring *tx = NULL, *rx = NULL;

	if (fd < 0 || map == MAP_FAILED)
		abort();
	/* The first step may lie before anybody comes. */
	if (size >= STEP && data[0] & 0x80)
		lie(map, data);
	if (ring_attach(&tx, fd, RING_SENDER, NULL) == 0 &&
	    ring_attach(&rx, fd, RING_RECEIVER, NULL) == 0)
		for (; size >= STEP; data += STEP, size -= STEP) {
			if (data[0] & 0x40)
				lie(map, data);
			act(tx, rx, data[0], data[1] * 17u);
		}
	ring_abandon(tx);
	ring_abandon(rx);
	munmap(map, 4096 + CAPACITY);
	close(fd);
	return 0;
}
