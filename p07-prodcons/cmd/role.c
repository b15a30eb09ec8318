#include "p07-prodcons/cmd/role.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/rng.h"
#include "lib/tick.h"

#define RANDOM_PAUSE_NS (200 * TICK_US) /* at most */

static void note(const struct role *role, enum role_doing doing)
{
	atomic_store_explicit(&role->slot->doing, doing, memory_order_relaxed);
}

static void count(const struct role *role)
{
	atomic_fetch_add_explicit(&role->slot->done, 1, memory_order_relaxed);
}

/* One write for a line, so that lines of several members do not mix. */
static int say(const struct role *role, const char *verb, uint64_t item)
{
	if (role->plan->is_quiet)
		return 0;
	printf("[%c%u] %s item %llu\n", role->kind == ROLE_PRODUCER ? 'P' : 'C',
	       role->number, verb, (unsigned long long)item);
	return fflush(stdout) != 0 || ferror(stdout) ? -EIO : 0;
}

/* The delay, and in stress mode what a scheduler may do to anybody anywhere:
 * mostly nothing, at times another one's turn, seldom a real pause. */
static int pause_between(const struct role *role, struct rng *rng)
{
	const struct role_plan *plan = role->plan;
	int64_t pause = plan->delay_ns[role->kind];

	note(role, ROLE_PAUSING);
	if (plan->is_random && rng_below(rng, 4) == 0) {
		if (rng_below(rng, 8) == 0)
			pause += (int64_t)rng_below(rng, RANDOM_PAUSE_NS);
		else
			sched_yield();
	}
	return pause ? tick_sleep_until(tick_after(pause)) : 0;
}

static int produce(const struct role *role, struct rng *rng)
{
	uint64_t share = audit_share(role->audit, role->number);

	for (uint64_t i = 1; i <= share; i++) {
		struct audit_item item =
			audit_produce(role->audit, role->number, i);
		int error =
			say(role, "Produced", audit_number(role->audit, &item));

		if (error)
			return error;
		note(role, ROLE_PUTTING);
		error = bounded_put(role->buffer, &item, TICK_NEVER);
		if (error)
			return error;
		audit_put(role->audit, &item);
		count(role);
		error = pause_between(role, rng);
		if (error)
			return error;
	}
	return 0;
}

static int consume(const struct role *role, struct rng *rng, uint64_t *seen)
{
	for (;;) {
		struct audit_item item;
		uint64_t number;
		int error;

		note(role, ROLE_TAKING);
		audit_before(role->audit, seen);
		error = bounded_take(role->buffer, &item, TICK_NEVER);
		if (error)
			return error == -EPIPE ? 0 : error;
		number = audit_taken(role->audit, seen, role->number, &item);
		/* No item at all: the buffer is not to be trusted further. */
		if (number == 0)
			return -EBADMSG;
		count(role);
		error = say(role, "Consumed", number);
		if (!error)
			error = pause_between(role, rng);
		if (error)
			return error;
	}
}

int role_run(const struct role *role)
{
	struct rng rng;
	uint64_t *seen;
	int error;

	rng_seed(&rng, role->plan->seed * AUDIT_MEMBERS_MAX * ROLE_KINDS +
			       role->number * ROLE_KINDS + role->kind);
	if (role->kind == ROLE_PRODUCER) {
		error = produce(role, &rng);
	} else {
		seen = calloc(role->plan->members[ROLE_PRODUCER],
			      sizeof(*seen));
		error = seen ? consume(role, &rng, seen) : -ENOMEM;
		free(seen);
	}
	atomic_store_explicit(&role->slot->error, error, memory_order_relaxed);
	note(role, ROLE_ENDED);
	return error;
}
