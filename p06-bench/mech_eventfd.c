/* Shared memory in a memfd, signalled by eventfds: the slots of shm-sem, but
 * nothing has a name and everything can be waited for with poll. One read
 * takes all that was added since the last one, so a side that is behind pays
 * no call for what it already knows to be there. */
#include "p06-bench/table.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "p06-bench/slots.h"

struct shm_eventfd {
	struct slots slots;
	int filled[2], free[2];     /* of each ring */
	uint64_t can_take, can_put; /* known to this side, not yet used */
};

static void destroy(void *channel)
{
	struct shm_eventfd *c = channel;

	for (int ring = 0; ring < 2; ring++) {
		fdio_close(&c->filled[ring]);
		fdio_close(&c->free[ring]);
	}
	slots_unmap(&c->slots);
	free(c);
}

static int open_counter(uint64_t value, int *fd)
{
	int made = eventfd((unsigned int)value, EFD_CLOEXEC);

	if (made < 0)
		return -errno;
	*fd = fdio_above_std(made);
	return *fd < 0 ? *fd : 0;
}

static int map_shared(struct slots *slots)
{
	int fd = memfd_create("unixipc-bench", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = slots_map(slots, fd);
	fdio_close(&fd);
	return r;
}

static int create(void **channel, size_t message_bytes)
{
	struct shm_eventfd *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	for (int ring = 0; ring < 2; ring++)
		c->filled[ring] = c->free[ring] = -1;
	slots_init(&c->slots, message_bytes, 0);
	r = map_shared(&c->slots);
	for (int ring = 0; ring < 2 && r == 0; ring++) {
		r = open_counter(0, &c->filled[ring]);
		if (r == 0)
			r = open_counter(c->slots.n, &c->free[ring]);
	}
	if (r < 0) {
		destroy(c);
		return r;
	}
	*channel = c;
	return 0;
}

static int attach(void *channel, enum mechanism_side side)
{
	struct shm_eventfd *c = channel;

	slots_attach(&c->slots, side);
	return 0;
}

/* Use up one of *known; when there is none, wait for more. */
static int take_one(int fd, uint64_t *known)
{
	if (*known == 0) {
		ssize_t got = fdio_read(fd, known, sizeof(*known));

		if (got < 0)
			return (int)got;
	}
	--*known;
	return 0;
}

static int add_one(int fd)
{
	static const uint64_t one = 1;

	return fdio_write_full(fd, &one, sizeof(one));
}

static int send(void *channel, const void *message)
{
	struct shm_eventfd *c = channel;
	int r = take_one(c->free[c->slots.tx], &c->can_put);

	if (r < 0)
		return r;
	slots_put(&c->slots, message);
	return add_one(c->filled[c->slots.tx]);
}

static int receive(void *channel, void *message)
{
	struct shm_eventfd *c = channel;
	int r = take_one(c->filled[!c->slots.tx], &c->can_take);

	if (r < 0)
		return r;
	slots_take(&c->slots, message);
	return add_one(c->free[!c->slots.tx]);
}

const struct mechanism mech_eventfd = {
	.name = "shm-eventfd",
	.title = "Shared Memory + eventfd",
	.summary = "64 slots in shared memory, counted by eventfds",
	.cost = {.calls = 8, /* memfd_create posix_fallocate mmap munmap
			      * eventfd read write close */
		 .keeps_boundaries = true,
		 .can_poll = true},
	.check = slots_check,
	.create = create,
	.attach = attach,
	.send = send,
	.receive = receive,
	.destroy = destroy,
};
