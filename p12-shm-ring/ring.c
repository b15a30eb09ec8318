/* A handle: taking a seat, going on where the one before stopped, leaving. */
#include "p12-shm-ring/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "p12-shm-ring/ring_handle.h"

/* Of the capacity: how much a receiver may owe. */
#define LAZY_SHARE 8

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static const struct ring_options defaults;

/* ---- a handle on a descriptor ------------------------------------------------- */

static void set_up(struct ring *ring, enum ring_side side,
		   const struct ring_options *options)
{
	struct ring_header *header = ring->shared->map.header;
	const bool sends = side == RING_SENDER;

	ring->header = header;
	ring->data = ring->shared->map.data;
	ring->capacity = ring->shared->map.capacity;
	ring->mask = ring->capacity - 1;
	ring->lazy_bytes = ring->capacity / LAZY_SHARE;
	ring->side = side;
	ring->wait = options->wait;
	ring->overflow = options->overflow;
	ring->own = sends ? &header->sender : &header->receiver;
	ring->other = sends ? &header->receiver : &header->sender;
}

/* Go on where the indices are: an own one was last written by whoever had our
 * seat before. */
static int find_place(struct ring *ring)
{
	struct ring_header *header = ring->header;
	const uint64_t tail =
		atomic_load_explicit(&header->tail, memory_order_acquire);
	const uint64_t head =
		atomic_load_explicit(&header->read, memory_order_acquire);

	if (tail - head > ring->capacity || (tail | head) % 8 != 0)
		return -EBADMSG;
	if (ring->side == RING_SENDER) {
		ring->at = tail;
		ring->limit = head + ring->capacity;
		ring->has_met = head != 0;
	} else {
		ring->at = head;
		ring->limit = tail;
		ring->has_met = tail != 0;
		atomic_store_explicit(&header->head, head,
				      memory_order_release);
	}
	ring->next = ring->published = ring->at;
	return 0;
}

/* Sit down. From here on, a death is seen. */
static void announce(struct ring *ring)
{
	ring->awake = ring_wait_prepare(ring);
	atomic_store_explicit(&ring->own->cpu, (uint32_t)sched_getcpu(),
			      memory_order_relaxed);
	atomic_store_explicit(&ring->own->asleep, ring->awake,
			      memory_order_relaxed);
	atomic_store_explicit(&ring->own->state, RING_TAKEN,
			      memory_order_release);
	ring_told(ring); /* it may be waiting for us to come */
}

static int open_map(struct ring_shared_map **shared, int fd, size_t capacity)
{
	struct ring_shared_map *new = calloc(1, sizeof(*new));
	int rc = new ? ring_map_open(&new->map, fd, capacity) : -ENOMEM;

	if (rc) {
		free(new);
		return rc;
	}
	*shared = new;
	return 0;
}

static void leave_map(struct ring_shared_map *shared)
{
	if (atomic_fetch_sub(&shared->users, 1) == 1) {
		ring_map_close(&shared->map);
		free(shared);
	}
}

static int take_seat(struct ring *ring)
{
	int rc = identity_role_take(&ring->role, RING_BYTE + ring->side);

	if (!rc) {
		rc = find_place(ring);
		if (rc)
			identity_role_give_up(&ring->role,
					      RING_BYTE + ring->side);
	}
	return rc;
}

int ring_enter(struct ring **result, const struct identity_role *role,
	       const char *name, enum ring_side side,
	       const struct ring_options *options,
	       struct ring_shared_map *shared)
{
	struct ring *ring = aligned_alloc(RING_LINE, sizeof(*ring));
	char *own_name = name ? strdup(name) : NULL;
	size_t capacity = 0;
	int rc = ring && (own_name || !name) ? 0 : -ENOMEM;

	if (!rc)
		rc = ring_map_check(role->fd, &capacity);
	if (!rc && !shared)
		rc = open_map(&shared, role->fd, capacity);
	if (!rc) {
		memset(ring, 0, sizeof(*ring));
		ring->role = *role;
		ring->name = own_name;
		ring->shared = shared;
		atomic_fetch_add(&shared->users, 1);
		set_up(ring, side, options);
		rc = take_seat(ring);
		if (rc)
			leave_map(shared);
	}
	if (rc) {
		free(ring);
		free(own_name);
		return rc;
	}
	announce(ring);
	*result = ring;
	return 0;
}

void ring_forget(struct ring *ring)
{
	if (!ring)
		return;
	identity_role_close(&ring->role);
	leave_map(ring->shared);
	free(ring->name);
	free(ring);
}

void ring_abandon(struct ring *ring)
{
	if (!ring)
		return;
	/* Closing would do it, were there no mapping: that holds the open file
	 * description too, and may be shared. */
	identity_role_give_up(&ring->role, RING_BYTE + ring->side);
	ring_told(ring);
	ring_forget(ring);
}

void ring_close(struct ring *ring)
{
	if (!ring)
		return;
	if (ring->side == RING_SENDER)
		ring_flush(ring);
	atomic_store_explicit(&ring->own->state, RING_CLOSED,
			      memory_order_release);
	ring_abandon(ring);
}

/* ---- rings with a descriptor --------------------------------------------------- */

int ring_memfd(size_t capacity)
{
	int fd, rc = 0;

	capacity = ring_map_capacity(capacity);
	if (!capacity)
		return -EINVAL;
	fd = memfd_create("ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	fd = fdio_above_std(fd);
	if (fd < 0)
		return fd;
	rc = ring_map_make(fd, capacity);
	if (!rc && fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		rc = -errno;
	if (rc) {
		fdio_close(&fd);
		return rc;
	}
	return fd;
}

/* The same file by an open file description of our own, for the lock. */
static int open_again(int fd)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	return again < 0 ? -errno : fdio_above_std(again);
}

static int attach(struct ring **ring, int fd, enum ring_side side,
		  const struct ring_options *options,
		  struct ring_shared_map *shared)
{
	int seals = fcntl(fd, F_GET_SEALS), again, rc;
	struct identity_role role;

	if (seals < 0 && errno != EINVAL)
		return -errno;
	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
		return -EPERM;
	again = open_again(fd);
	if (again < 0)
		return again;
	rc = identity_role_open(&role, again);
	if (rc) {
		fdio_close(&again);
		return rc;
	}
	rc = ring_enter(ring, &role, NULL, side, options ? options : &defaults,
			shared);
	if (rc)
		identity_role_close(&role);
	return rc;
}

int ring_attach(struct ring **ring, int fd, enum ring_side side,
		const struct ring_options *options)
{
	*ring = NULL;
	return attach(ring, fd, side, options, NULL);
}

int ring_pair(struct ring *pair[2], const struct ring_options *options)
{
	int fd = ring_memfd(options->capacity);
	int rc = fd < 0 ? fd
			: attach(&pair[RING_SENDER], fd, RING_SENDER, options,
				 NULL);

	if (!rc) {
		rc = attach(&pair[RING_RECEIVER], fd, RING_RECEIVER, options,
			    pair[RING_SENDER]->shared);
		if (rc)
			ring_abandon(pair[RING_SENDER]);
	}
	if (rc)
		pair[RING_SENDER] = pair[RING_RECEIVER] = NULL;
	fdio_close(&fd);
	return rc;
}

/* ---- looking -------------------------------------------------------------------------- */

static int is_other_there(struct ring *ring, uint64_t unused)
{
	int peer;

	(void)unused;
	if (atomic_load_explicit(&ring->other->state, memory_order_acquire) !=
	    RING_TAKEN)
		return 0;
	peer = identity_role_look(&ring->role, ring_other_byte(ring),
				  &ring->has_met);
	return peer < 0 ? peer : peer == IDENTITY_PEER_PRESENT;
}

int ring_wait_peer(struct ring *ring, int64_t deadline)
{
	int rc;

	for (;;) {
		rc = ring_wait_for(ring, is_other_there, 0, deadline);
		if (rc != -EPIPE && rc != -EOWNERDEAD)
			return rc < 0 ? rc : 0;
		/* Whoever was there: we wait for the next. */
		if (ring_is_lost(ring))
			return -EIDRM;
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
		rc = tick_sleep_until(tick_after(TICK_MS));
		if (rc)
			return rc;
	}
}

size_t ring_capacity(const struct ring *ring)
{
	return ring->capacity;
}

size_t ring_message_max(const struct ring *ring)
{
	return ring->capacity - sizeof(struct ring_record);
}

uint64_t ring_dropped(const struct ring *ring)
{
	return atomic_load_explicit(&ring->header->dropped,
				    memory_order_relaxed);
}

struct ring_calls ring_calls(const struct ring *ring)
{
	return ring->calls;
}
