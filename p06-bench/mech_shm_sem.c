/* Shared memory and POSIX semaphores, the book's producer and consumer: for
 * each direction, one semaphore counts the filled slots and one the free
 * ones. The name of the memory lives for microseconds, as both sides inherit
 * the mapping. */
#include "p06-bench/table.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/fdio.h"
#include "lib/objname.h"
#include "p06-bench/slots.h"

struct gates {
	_Alignas(64) sem_t filled;
	_Alignas(64) sem_t free;
};

struct shm_sem {
	struct slots slots;
	struct gates *gates; /* [2] at the start of the map */
};

static int map_shared(struct slots *slots)
{
	char name[OBJNAME_MAX];
	int fd, r = objname_make(name, sizeof(name), "bench");

	if (r < 0)
		return r;
	objname_claim(OBJNAME_SHM, name);
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0) {
		r = -errno;
	} else {
		shm_unlink(name);
		r = slots_map(slots, fd);
		fdio_close(&fd);
	}
	objname_release(OBJNAME_SHM, name);
	return r;
}

static void destroy(void *channel)
{
	struct shm_sem *c = channel;

	for (int ring = 0; c->gates && ring < 2; ring++) {
		sem_destroy(&c->gates[ring].filled);
		sem_destroy(&c->gates[ring].free);
	}
	slots_unmap(&c->slots);
	free(c);
}

static int create(void **channel, size_t message_bytes)
{
	struct shm_sem *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	slots_init(&c->slots, message_bytes, 2 * sizeof(struct gates));
	r = map_shared(&c->slots);
	if (r < 0) {
		destroy(c);
		return r;
	}
	c->gates = (struct gates *)c->slots.map;
	for (int ring = 0; ring < 2; ring++) {
		sem_init(&c->gates[ring].filled, 1, 0);
		sem_init(&c->gates[ring].free, 1, (unsigned int)c->slots.n);
	}
	*channel = c;
	return 0;
}

static int attach(void *channel, enum mechanism_side side)
{
	struct shm_sem *c = channel;

	slots_attach(&c->slots, side);
	return 0;
}

static int wait_for(sem_t *sem)
{
	while (sem_wait(sem) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int send(void *channel, const void *message)
{
	struct shm_sem *c = channel;
	struct gates *gates = &c->gates[c->slots.tx];
	int r = wait_for(&gates->free);

	if (r < 0)
		return r;
	slots_put(&c->slots, message);
	return sem_post(&gates->filled) < 0 ? -errno : 0;
}

static int receive(void *channel, void *message)
{
	struct shm_sem *c = channel;
	struct gates *gates = &c->gates[!c->slots.tx];
	int r = wait_for(&gates->filled);

	if (r < 0)
		return r;
	slots_take(&c->slots, message);
	return sem_post(&gates->free) < 0 ? -errno : 0;
}

const struct mechanism mech_shm_sem = {
	.name = "shm-sem",
	.title = "Shared Memory + Sem",
	.summary = "64 slots in shared memory, counted by POSIX semaphores",
	.cost = {.calls = 10, /* shm_open posix_fallocate mmap munmap close
			       * shm_unlink sem_init sem_wait sem_post
			       * sem_destroy */
		 .names = 1,
		 .keeps_boundaries = true},
	.check = slots_check,
	.create = create,
	.attach = attach,
	.send = send,
	.receive = receive,
	.destroy = destroy,
};
