/* fixture.h - a queue in shared memory, with the indices about to wrap
 * around. */
#ifndef UNIXIPC_TESTS_P15_FIXTURE_H
#define UNIXIPC_TESTS_P15_FIXTURE_H

#include <sys/mman.h>

#include "p15-spsc/internal.h"
#include "p15-spsc/spsc.h"
#include "tests/support/support.h"

struct fixture {
	void *memory;
	size_t bytes;
	struct spsc_producer p;
	struct spsc_consumer c;
};

static inline void make(struct fixture *f, uint64_t item_bytes,
			uint64_t capacity)
{
	f->bytes = spsc_bytes(item_bytes, capacity);
	f->memory = mmap(NULL, f->bytes, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(f->memory, MAP_FAILED);
	assert_int_equal(spsc_init_at(f->memory, f->bytes, item_bytes, capacity,
				      UINT64_MAX - 2),
			 0);
}

static inline void make_both(struct fixture *f, uint64_t item_bytes,
			     uint64_t capacity)
{
	make(f, item_bytes, capacity);
	assert_int_equal(
		spsc_producer_attach(&f->p, f->memory, f->bytes, item_bytes),
		0);
	assert_int_equal(
		spsc_consumer_attach(&f->c, f->memory, f->bytes, item_bytes),
		0);
}

static inline void unmake(struct fixture *f)
{
	munmap(f->memory, f->bytes);
}

#endif
