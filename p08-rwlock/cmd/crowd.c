/* crowd.c - each member alone keeps its figures; they are read when it has
 * ended. What a member does at the moment is read any time, for
 * crowd_describe(). */
#include "p08-rwlock/cmd/crowd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/rng.h"
#include "lib/tick.h"

static void tell(struct crowd_member *member, enum crowd_kind kind)
{
	struct crowd *crowd = member->crowd;
	struct crowd_event event = {
		.kind = kind,
		.is_writer = member->is_writer,
		.number = member->number,
	};
	struct myrwlock_state state;

	if (!crowd->listener || myrwlock_look(crowd->lock, &state))
		return;
	event.others =
		member->is_writer ? state.readers : state.waiting_writers;
	crowd->listener(crowd->arg, &event);
}

/* A try first, as only then is there something to tell. */
static int take_lock(struct crowd_member *member)
{
	struct crowd *crowd = member->crowd;
	struct timespec until = tick_to_timespec(crowd->give_up_ns);
	int rc = member->is_writer ? myrwlock_trywrlock(crowd->lock)
				   : myrwlock_tryrdlock(crowd->lock);

	if (rc != EBUSY)
		return rc;
	if (!member->is_writer)
		return myrwlock_clockrdlock(crowd->lock, CLOCK_MONOTONIC,
					    &until);
	tell(member, CROWD_WAITING);
	return myrwlock_clockwrlock(crowd->lock, CLOCK_MONOTONIC, &until);
}

static void keep_most(int64_t *most, int64_t value)
{
	if (value > *most)
		*most = value;
}

static void rest(struct crowd_member *member, struct rng *rng, int64_t ns)
{
	uint64_t jitter_ns = (uint64_t)member->crowd->plan->jitter_ns;
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
static int visit(struct crowd_member *member, struct rng *rng)
{
	struct crowd *crowd = member->crowd;
	const struct crowd_plan *plan = crowd->plan;
	int64_t asked = tick_now(), entered;
	int rc;

	atomic_store(&member->doing, CROWD_WAITS);
	rc = take_lock(member);
	if (rc)
		return rc;
	atomic_store(&member->doing, CROWD_INSIDE);
	entered = tick_now();
	keep_most(&member->longest_wait_ns, entered - asked);
	member->wrong += !scene_enter(&crowd->scene, member->is_writer);
	tell(member, CROWD_ACQUIRED);
	rest(member, rng,
	     member->is_writer ? plan->write_hold_ns : plan->read_hold_ns);
	tell(member, CROWD_RELEASED);
	member->wrong += !scene_leave(&crowd->scene, member->is_writer);
	member->entries++;
	rc = myrwlock_unlock(crowd->lock);
	keep_most(&member->longest_hold_ns, tick_now() - entered);
	atomic_store(&member->doing, CROWD_OUTSIDE);
	return rc;
}

static void *run_member(void *arg)
{
	struct crowd_member *member = arg;
	struct crowd *crowd = member->crowd;
	const struct crowd_plan *plan = crowd->plan;
	struct rng rng;

	rng_seed(&rng, plan->seed + member->number * 2 + member->is_writer);
	pthread_mutex_lock(&crowd->gate);
	pthread_mutex_unlock(&crowd->gate);
	while (!member->error && !atomic_load(&crowd->is_over)) {
		member->error = visit(member, &rng);
		if (!member->error)
			rest(member, &rng,
			     member->is_writer ? plan->write_pause_ns
					       : plan->read_pause_ns);
	}
	return NULL;
}

int crowd_init(struct crowd *crowd, const struct crowd_plan *plan,
	       struct myrwlock *lock)
{
	unsigned int n = plan->readers + plan->writers;

	*crowd = (struct crowd){.plan = plan, .lock = lock};
	crowd->members = calloc(n, sizeof(*crowd->members));
	if (!crowd->members)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++) {
		struct crowd_member *member = &crowd->members[i];

		member->crowd = crowd;
		member->is_writer = i >= plan->readers;
		member->number =
			1 + (member->is_writer ? i - plan->readers : i);
	}
	pthread_mutex_init(&crowd->gate, NULL);
	return 0;
}

void crowd_fini(struct crowd *crowd)
{
	pthread_mutex_destroy(&crowd->gate);
	free(crowd->members);
}

int crowd_start(struct crowd *crowd, int64_t duration_ns)
{
	unsigned int n = crowd->plan->readers + crowd->plan->writers;
	int rc = 0;

	pthread_mutex_lock(&crowd->gate);
	while (!rc && crowd->started < n) {
		struct crowd_member *member = &crowd->members[crowd->started];

		rc = pthread_create(&member->thread, NULL, run_member, member);
		if (!rc)
			crowd->started++;
	}
	crowd->begun_ns = tick_now();
	crowd->give_up_ns = tick_after(duration_ns + crowd->plan->timeout_ns);
	if (rc)
		atomic_store(&crowd->is_over, true);
	pthread_mutex_unlock(&crowd->gate);
	if (rc)
		crowd_end(crowd);
	return -rc;
}

int crowd_end(struct crowd *crowd)
{
	int rc = 0;

	atomic_store(&crowd->is_over, true);
	crowd->ended_ns = tick_now();
	for (unsigned int i = 0; i < crowd->started; i++) {
		pthread_join(crowd->members[i].thread, NULL);
		if (!rc)
			rc = crowd->members[i].error;
	}
	crowd->started = 0;
	return -rc;
}

struct crowd_sum crowd_sum(const struct crowd *crowd, bool is_writer)
{
	unsigned int n = crowd->plan->readers + crowd->plan->writers;
	struct crowd_sum sum = {0};

	for (unsigned int i = 0; i < n; i++) {
		const struct crowd_member *member = &crowd->members[i];

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
static void list(FILE *to, const struct crowd *crowd, enum crowd_doing doing)
{
	unsigned int n = crowd->plan->readers + crowd->plan->writers, found = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct crowd_member *member = &crowd->members[i];

		if (atomic_load(&member->doing) != (int)doing)
			continue;
		fprintf(to, "%s%s %u", found++ ? ", " : "",
			member->is_writer ? "Writer" : "Reader",
			member->number);
	}
	if (!found)
		fputs("nobody", to);
}

const char *crowd_describe(const struct crowd *crowd, char *buf, size_t size)
{
	FILE *to = fmemopen(buf, size, "w");

	buf[0] = '\0';
	if (!to)
		return buf;
	fputs("waiting: ", to);
	list(to, crowd, CROWD_WAITS);
	fputs("; inside: ", to);
	list(to, crowd, CROWD_INSIDE);
	fclose(to);
	buf[size - 1] = '\0';
	return buf;
}
