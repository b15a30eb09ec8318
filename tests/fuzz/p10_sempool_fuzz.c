/* Any bytes anywhere in the memory of a pool, head included: it is refused, or
 * it works as a pool does, and lends no more than it has.
 *
 * The input is a list of patches: an offset of two bytes, a length of one, and
 * so many bytes. What they cannot touch is the inside of the semaphore beside
 * the low bytes of its count: the C library ends a process over that. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "p10-sempool/memory.h"
#include "p10-sempool/sempool.h"

enum { SLOTS = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void patch(struct sempool *pool, const uint8_t *data, size_t size)
{
	size_t units = offsetof(struct sempool_memory, units);
	uint8_t *bytes = (uint8_t *)pool->memory;

	while (size >= 3) {
		size_t at = (size_t)data[0] | (size_t)data[1] << 8;
		size_t len = data[2];

		data += 3;
		size -= 3;
		for (; len > 0 && size > 0; len--, at++, data++, size--)
			if (at < pool->bytes &&
			    (at < units + 2 || at >= units + sizeof(sem_t)))
				bytes[at] = *data;
	}
}

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

static void use(struct sempool *pool)
{
	struct sempool_lease lease[SLOTS + 1] = {0};
	struct sempool_owner owner;
	struct sempool_state state;
	int lent = 0;

	sempool_reclaim(pool);
	for (int i = 0; i <= SLOTS; i++)
		lent += sempool_try_acquire(pool, &lease[i]) == 0;
	must(lent <= SLOTS);
	sempool_look(pool, &state);
	must(state.slots == SLOTS && state.free <= SLOTS);
	for (unsigned int i = 0; i <= SLOTS + SEMPOOL_WAITERS; i++)
		if (sempool_look_at(pool, i, &owner))
			must(owner.since_ns > 0);
	for (int i = 0; i <= SLOTS; i++)
		if (lease[i].word)
			must(sempool_release(pool, &lease[i]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sempool pool, opened;
	bool is_taken_over;
	char name[64];

	snprintf(name, sizeof(name), "/ipc.fuzz.%d", (int)getpid());
	must(sempool_create(&pool, name, SLOTS, &is_taken_over) == 0);
	patch(&pool, data, size);
	if (sempool_open(&opened, name, 0) == 0) {
		use(&opened);
		sempool_close(&opened);
	}
	/* The manager is sure of what it has made. */
	use(&pool);
	sempool_remove(&pool);
	sempool_close(&pool);
	return 0;
}
