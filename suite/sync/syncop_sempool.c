/* A pool of one connection: a POSIX semaphore that loses no unit to kill -9. */
#include "suite/sync/syncop.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/objname.h"
#include "p10-sempool/sempool.h"

/* Each member has a copy of its own, as it is forked. */
struct state {
	struct sempool pool;
	struct sempool_lease lease;
};

static void destroy(void *arg)
{
	struct state *state = arg;

	sempool_remove(&state->pool);
	objname_release(OBJNAME_SHM, state->pool.name);
	sempool_close(&state->pool);
	free(state);
}

static int create(void **arg, int members)
{
	struct state *state = calloc(1, sizeof(*state));
	bool is_taken_over;
	char name[128];
	int error;

	(void)members;
	if (!state)
		return -ENOMEM;
	error = objname_make(name, sizeof(name), "sempool");
	if (!error) {
		objname_claim(OBJNAME_SHM, name); /* advice: it may fail */
		error = sempool_create(&state->pool, name, 1, &is_taken_over);
	}
	if (error) {
		objname_release(OBJNAME_SHM, name);
		free(state);
		return error;
	}
	objname_made(OBJNAME_SHM, name);
	*arg = state;
	return 0;
}

static int enter(void *arg)
{
	struct state *state = arg;
	int error;

	do
		error = sempool_acquire(&state->pool, &state->lease);
	while (error == -EINTR);
	return error;
}

static int leave(void *arg)
{
	struct state *state = arg;

	return sempool_release(&state->pool, &state->lease);
}

const struct syncop syncop_sempool = {
	.name = "sempool",
	.title = "Semaphore pool of one",
	.summary = "a semaphore and who holds its units; deaths are repaired",
	.create = create,
	.enter = enter,
	.leave = leave,
	.destroy = destroy,
};
