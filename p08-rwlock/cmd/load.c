/* load.c - each member alone keeps its figures; they are read when it has
 * ended. What a member does at the moment is read any time, for
 * load_describe(). */
#include "p08-rwlock/cmd/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/rng.h"
#include "lib/tick.h"

static void tell(struct load_member *member, enum load_kind kind)
{
	struct load *load = member->load;
	struct load_event event = {
		.kind = kind,
		.is_writer = member->is_writer,
		.number = member->number,
	};
	struct myrwlock_state state;

	if (!load->listener || myrwlock_look(load->lock, &state))
		return;
	event.others =
		member->is_writer ? state.readers : state.waiting_writers;
	load->listener(load->arg, &event);
}

/* A try first, as only then is there something to tell. */
static int take_lock(struct load_member *member)
{
	struct load *load = member->load;
	struct timespec until = tick_to_timespec(load->give_up_ns);
	int rc = member->is_writer ? myrwlock_trywrlock(load->lock)
				   : myrwlock_tryrdlock(load->lock);

	if (rc != EBUSY)
		return rc;
	if (!member->is_writer)
		return myrwlock_clockrdlock(load->lock, CLOCK_MONOTONIC,
					    &until);
	tell(member, LOAD_WAITING);
	return myrwlock_clockwrlock(load->lock, CLOCK_MONOTONIC, &until);
}

static void keep_most(int64_t *most, int64_t value)
{
	if (value > *most)
		*most = value;
}

static void rest(struct load_member *member, struct rng *rng, int64_t ns)
{
	uint64_t jitter_ns = (uint64_t)member->load->plan->jitter_ns;
	int64_t until;

	if (jitter_ns)
		ns += (int64_t)rng_below(rng, jitter_ns + 1);
	if (!ns)
		return;
	until = tick_after(ns);
	tick_sleep_until(until);
	keep_most(&member->latest_ns, tick_now() - until);
}

/* Once in and out. Returns 0 or an error of the lock. */
static int visit(struct load_member *member, struct rng *rng)
{
	struct load *load = member->load;
	const struct load_plan *plan = load->plan;
	int64_t asked = tick_now(), entered;
	int rc;

	atomic_store(&member->doing, LOAD_WAITS);
	rc = take_lock(member);
	if (rc)
		return rc;
	atomic_store(&member->doing, LOAD_INSIDE);
	entered = tick_now();
	keep_most(&member->longest_wait_ns, entered - asked);
	member->wrong += !exclusion_enter(&load->exclusion, member->is_writer);
	tell(member, LOAD_ACQUIRED);
	rest(member, rng,
	     member->is_writer ? plan->write_hold_ns : plan->read_hold_ns);
	tell(member, LOAD_RELEASED);
	member->wrong += !exclusion_leave(&load->exclusion, member->is_writer);
	member->entries++;
	rc = myrwlock_unlock(load->lock);
	keep_most(&member->longest_hold_ns, tick_now() - entered);
	atomic_store(&member->doing, LOAD_OUTSIDE);
	return rc;
}

static void *run_member(void *arg)
{
	struct load_member *member = arg;
	struct load *load = member->load;
	const struct load_plan *plan = load->plan;
	struct rng rng;

	rng_seed(&rng, plan->seed + member->number * 2 + member->is_writer);
	pthread_mutex_lock(&load->gate);
	pthread_mutex_unlock(&load->gate);
	while (!member->error && !atomic_load(&load->is_over)) {
		member->error = visit(member, &rng);
		if (!member->error)
			rest(member, &rng,
			     member->is_writer ? plan->write_pause_ns
					       : plan->read_pause_ns);
	}
	return NULL;
}

int load_init(struct load *load, const struct load_plan *plan,
	      struct myrwlock *lock)
{
	unsigned int n = plan->readers + plan->writers;

	*load = (struct load){.plan = plan, .lock = lock};
	load->members = calloc(n, sizeof(*load->members));
	if (!load->members)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++) {
		struct load_member *member = &load->members[i];

		member->load = load;
		member->is_writer = i >= plan->readers;
		member->number =
			1 + (member->is_writer ? i - plan->readers : i);
	}
	pthread_mutex_init(&load->gate, NULL);
	return 0;
}

void load_fini(struct load *load)
{
	pthread_mutex_destroy(&load->gate);
	free(load->members);
}

int load_start(struct load *load, int64_t duration_ns)
{
	unsigned int n = load->plan->readers + load->plan->writers;
	int rc = 0;

	pthread_mutex_lock(&load->gate);
	while (!rc && load->started < n) {
		struct load_member *member = &load->members[load->started];

		rc = pthread_create(&member->thread, NULL, run_member, member);
		if (!rc)
			load->started++;
	}
	load->begun_ns = tick_now();
	load->give_up_ns = tick_after(duration_ns + load->plan->timeout_ns);
	if (rc)
		atomic_store(&load->is_over, true);
	pthread_mutex_unlock(&load->gate);
	if (rc)
		load_end(load);
	return -rc;
}

int load_end(struct load *load)
{
	int rc = 0;

	atomic_store(&load->is_over, true);
	load->ended_ns = tick_now();
	for (unsigned int i = 0; i < load->started; i++) {
		pthread_join(load->members[i].thread, NULL);
		if (!rc)
			rc = load->members[i].error;
	}
	load->started = 0;
	return -rc;
}

struct load_sum load_sum(const struct load *load, bool is_writer)
{
	unsigned int n = load->plan->readers + load->plan->writers;
	struct load_sum sum = {0};

	for (unsigned int i = 0; i < n; i++) {
		const struct load_member *member = &load->members[i];

		if (member->is_writer != is_writer)
			continue;
		sum.entries += member->entries;
		sum.wrong += member->wrong;
		keep_most(&sum.longest_hold_ns, member->longest_hold_ns);
		keep_most(&sum.latest_ns, member->latest_ns);
		if (member->longest_wait_ns > sum.longest_wait_ns) {
			sum.longest_wait_ns = member->longest_wait_ns;
			sum.waited_longest = member->number;
		}
	}
	return sum;
}

/* "Reader 1, Writer 2" of those who do it. */
static void list(FILE *to, const struct load *load, enum load_doing doing)
{
	unsigned int n = load->plan->readers + load->plan->writers, found = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct load_member *member = &load->members[i];

		if (atomic_load(&member->doing) != (int)doing)
			continue;
		fprintf(to, "%s%s %u", found++ ? ", " : "",
			member->is_writer ? "Writer" : "Reader",
			member->number);
	}
	if (!found)
		fputs("nobody", to);
}

const char *load_describe(const struct load *load, char *buf, size_t size)
{
	FILE *to = fmemopen(buf, size, "w");

	buf[0] = '\0';
	if (!to)
		return buf;
	fputs("waiting: ", to);
	list(to, load, LOAD_WAITS);
	fputs("; inside: ", to);
	list(to, load, LOAD_INSIDE);
	fclose(to);
	buf[size - 1] = '\0';
	return buf;
}
