/* The buffer of P07 with one item in it: who has taken it is alone, until it
 * puts it back. */
#include "suite/sync/syncop.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/tick.h"
#include "p07-prodcons/bounded.h"

static void destroy(void *state)
{
	struct bounded *buffer = state;
	void *memory = buffer->state;

	bounded_fini(buffer);
	syncop_unshare(memory, bounded_bytes(1, 1));
	free(buffer);
}

static int create(void **state, int members)
{
	/* Members are forked: each has its copy of the handle. */
	struct bounded *buffer = calloc(1, sizeof(*buffer));
	void *memory = syncop_share(bounded_bytes(1, 1));
	int error = buffer && memory ? 0 : -ENOMEM;

	(void)members;
	if (!error)
		error = bounded_init(buffer, memory, 1, 1, true);
	if (!error)
		error = bounded_put(buffer, "", TICK_NEVER);
	if (error) {
		syncop_unshare(memory, bounded_bytes(1, 1));
		free(buffer);
		return error;
	}
	*state = buffer;
	return 0;
}

static int enter(void *state)
{
	char item;

	return bounded_take(state, &item, TICK_NEVER);
}

static int leave(void *state)
{
	return bounded_put(state, "", TICK_NEVER);
}

const struct syncop syncop_bounded = {
	.name = "bounded",
	.title = "Bounded buffer of one",
	.summary = "a queue that holds one token; deaths are repaired",
	.create = create,
	.enter = enter,
	.leave = leave,
	.destroy = destroy,
};
