/* The producer fills slots 0, 1, 2, …, the consumer empties them in the same
 * order, both round and round. Neither needs to know where the other is: that
 * there is a free slot is what `empty` says, and it can only be the next one.
 *
 *	producer            consumer
 *	wait(empty)         wait(full)
 *	copy in             copy out
 *	post(full)          post(empty)
 *
 * sem_post(3) and sem_wait(3) also order memory: what was copied in before the
 * post is there after the wait.
 */
#include "p12-shm-ring/sem_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <semaphore.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"

#define MAGIC UINT64_C(0x474e49524d4553ff)

/* With the size of the one type whose layout is the C library's own. */
#define VERSION (1U | (uint32_t)sizeof(sem_t) << 16)

struct slot {
	uint32_t length;
	unsigned char message[];
};

struct sem_ring_shared {
	_Atomic uint64_t magic; /* written last */
	uint32_t version;
	uint32_t slots, slot_bytes;
	/* Each on cache lines of its own: both sides change both, but not more
	 * than they must. */
	alignas(64) sem_t empty;
	alignas(64) sem_t full;
	alignas(64) unsigned char slot[];
};

static size_t stride(uint32_t slot_bytes)
{
	return (sizeof(struct slot) + slot_bytes + 63) / 64 * 64;
}

static size_t bytes_for(uint32_t slots, uint32_t slot_bytes)
{
	return sizeof(struct sem_ring_shared) + slots * stride(slot_bytes);
}

static int map(struct sem_ring *ring, int fd, size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_POPULATE, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	*ring = (struct sem_ring){.shared = at, .bytes = bytes};
	return 0;
}

static int fill(struct sem_ring *ring, int fd, uint32_t slots,
		uint32_t slot_bytes)
{
	const size_t bytes = bytes_for(slots, slot_bytes);
	/* Not ftruncate(2): memory that is missing is an error now, and not a
	 * SIGBUS later. */
	int rc = -posix_fallocate(fd, 0, (off_t)bytes);

	if (!rc)
		rc = map(ring, fd, bytes);
	if (rc)
		return rc;
	ring->shared->version = VERSION;
	ring->shared->slots = slots;
	ring->shared->slot_bytes = slot_bytes;
	sem_init(&ring->shared->empty, 1, slots);
	sem_init(&ring->shared->full, 1, 0);
	/* Whoever sees it sees what is above, too. */
	atomic_store_explicit(&ring->shared->magic, MAGIC,
			      memory_order_release);
	return 0;
}

int sem_ring_create(struct sem_ring *ring, const char *name, uint32_t slots,
		    uint32_t slot_bytes)
{
	int fd, rc;

	if (slots == 0 || slot_bytes == 0 || slots > SEM_VALUE_MAX)
		return -EINVAL;
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return -errno;
	rc = fill(ring, fd, slots, slot_bytes);
	fdio_close(&fd); /* the mapping stays */
	if (rc)
		sem_ring_remove(name);
	return rc;
}

/* Whether it is one that we can use: 0, -EAGAIN, -EBADMSG. */
static int check(const struct sem_ring *ring)
{
	const struct sem_ring_shared *shared = ring->shared;
	uint64_t magic =
		atomic_load_explicit(&shared->magic, memory_order_acquire);

	if (magic == 0)
		return -EAGAIN;
	if (magic != MAGIC || shared->version != VERSION ||
	    shared->slots == 0 || shared->slot_bytes == 0 ||
	    bytes_for(shared->slots, shared->slot_bytes) != ring->bytes)
		return -EBADMSG;
	return 0;
}

int sem_ring_open(struct sem_ring *ring, const char *name)
{
	int fd = shm_open(name, O_RDWR, 0);
	struct stat st;
	int rc;

	if (fd < 0)
		return -errno;
	rc = fstat(fd, &st) < 0 ? -errno : 0;
	if (!rc && (size_t)st.st_size < sizeof(struct sem_ring_shared))
		rc = st.st_size == 0 ? -EAGAIN : -EBADMSG;
	if (!rc)
		rc = map(ring, fd, (size_t)st.st_size);
	fdio_close(&fd);
	if (rc)
		return rc;
	rc = check(ring);
	if (rc)
		sem_ring_close(ring);
	return rc;
}

int sem_ring_remove(const char *name)
{
	return shm_unlink(name) < 0 ? -errno : 0;
}

void sem_ring_close(struct sem_ring *ring)
{
	if (ring->shared)
		munmap(ring->shared, ring->bytes);
	ring->shared = NULL;
}

static int wait_for(sem_t *sem, int64_t deadline)
{
	/* Not a system call when the count is above 0. */
	while (sem_trywait(sem) < 0) {
		struct timespec until = tick_to_realtime(deadline);

		if (sem_timedwait(sem, &until) == 0)
			return 0;
		if (errno != ETIMEDOUT)
			return -errno;
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
		/* The clock was set meanwhile. */
	}
	return 0;
}

static struct slot *next_slot(struct sem_ring *ring)
{
	const struct sem_ring_shared *shared = ring->shared;
	size_t index = ring->next++ % shared->slots;

	return (struct slot *)(ring->shared->slot +
			       index * stride(shared->slot_bytes));
}

int sem_ring_put(struct sem_ring *ring, const void *message, size_t len,
		 int64_t deadline)
{
	struct slot *slot;
	int rc;

	if (len > ring->shared->slot_bytes)
		return -EMSGSIZE;
	rc = wait_for(&ring->shared->empty, deadline);
	if (rc)
		return rc;
	slot = next_slot(ring);
	slot->length = (uint32_t)len;
	if (len > 0) /* an empty one may be NULL, which memcpy(3) may not */
		memcpy(slot->message, message, len);
	return sem_post(&ring->shared->full) < 0 ? -errno : 0;
}

ssize_t sem_ring_get(struct sem_ring *ring, void *message, int64_t deadline)
{
	const struct slot *slot;
	size_t len;
	int rc = wait_for(&ring->shared->full, deadline);

	if (rc)
		return rc;
	slot = next_slot(ring);
	len = slot->length;
	if (len > ring->shared->slot_bytes)
		return -EBADMSG;
	if (len > 0)
		memcpy(message, slot->message, len);
	return sem_post(&ring->shared->empty) < 0 ? -errno : (ssize_t)len;
}
