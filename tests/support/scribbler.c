#include "tests/support/scribbler.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tick.h"

void scribbler_scribble(struct survivors_actor *self, void *memory,
			size_t bytes)
{
	_Atomic uint32_t *words = memory;
	const size_t n = bytes / sizeof(*words);
	uint32_t value = 0;

	if (self->is_successor)
		return;
	for (int i = 0; i < 4; i++) {
		switch (rng_below(&self->rng, 4)) {
		case 0:
			value = 0;
			break;
		case 1:
			value = UINT32_MAX;
			break;
		case 2:
			value = atomic_load_explicit(
				&words[rng_below(&self->rng, n)],
				memory_order_relaxed);
			break;
		default:
			value = (uint32_t)rng_next(&self->rng);
			break;
		}
		atomic_store_explicit(&words[rng_below(&self->rng, n)], value,
				      memory_order_relaxed);
	}
}

struct mapped {
	void *memory;
	size_t bytes;
};

int scribbler_enter(struct survivors_actor *self, const char *name)
{
	static struct mapped mapped;
	struct stat st;
	int fd;

	if (self->is_successor)
		return 0;
	fd = shm_open(name, O_RDWR, 0);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0) {
		mapped.bytes = (size_t)st.st_size;
		mapped.memory = mmap(NULL, mapped.bytes, PROT_READ | PROT_WRITE,
				     MAP_SHARED, fd, 0);
	}
	close(fd);
	self->own = &mapped;
	return mapped.bytes == 0 || mapped.memory == MAP_FAILED ? -ENOMEM : 0;
}

/* Most of what is shared lies in front. With pauses, so that the others get
 * somewhere between two of them. */
int scribbler_step(struct survivors_actor *self)
{
	const struct mapped *mapped = self->own;
	size_t front;

	if (self->is_successor)
		return 0;
	front = mapped->bytes < 512 ? mapped->bytes : 512;
	scribbler_scribble(self, mapped->memory,
			   rng_below(&self->rng, 4) ? front : mapped->bytes);
	return tick_sleep_until(
		tick_after((int64_t)rng_below(&self->rng, 200) * TICK_US));
}
