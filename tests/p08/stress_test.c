/* Every form of locking in a random order with random pauses, under each policy;
 * p08-rwlock/cmd/exclusion.h checks who is inside with whom. */
#include "p08-rwlock/myrwlock.h"

#include <errno.h>
#include <stdio.h>

#include "lib/rng.h"
#include "lib/tick.h"
#include "p08-rwlock/cmd/exclusion.h"
#include "tests/p08/clocklock.h"
#include "tests/support/support.h"

enum { THREADS = 6 };

#define LIMIT_NS (60 * TICK_S) /* of one wait: a deadlock */

struct field {
	struct myrwlock lock;
	struct exclusion exclusion;
	int visits;
	atomic_uint wrong;
	int64_t give_up_ns;
};

enum form { WAIT, TRY, SOON, FORMS };
static const char *const form_name[] = {"lock", "try", "timed"};

struct worker {
	struct field *field;
	pthread_t thread;
	uint64_t seed;
	int error; /* that ended it, and when it did what */
	bool is_writing;
	enum form form;
};

static int take(struct worker *worker, struct rng *rng)
{
	struct myrwlock *lock = &worker->field->lock;
	int64_t give_up = worker->field->give_up_ns;
	struct timespec until = tick_to_timespec(
		worker->form == SOON
			? tick_after((int64_t)rng_below(rng, 3) * TICK_MS)
			: give_up);

	if (worker->form == TRY)
		return worker->is_writing ? myrwlock_trywrlock(lock)
					  : myrwlock_tryrdlock(lock);
	return worker->is_writing
		       ? myrwlock_clockwrlock(lock, CLOCK_MONOTONIC, &until)
		       : myrwlock_clockrdlock(lock, CLOCK_MONOTONIC, &until);
}

static void pause_at_random(struct rng *rng)
{
	if (rng_below(rng, 20) == 0)
		tick_sleep_until(
			tick_after((int64_t)rng_below(rng, 200) * TICK_US));
}

/* Writers may go on as readers, readers may enter again. */
static int go_on_inside(struct worker *worker, struct rng *rng)
{
	struct field *field = worker->field;
	bool is_right = true;
	int rc = 0;

	if (worker->is_writing && rng_below(rng, 3) == 0) {
		is_right = exclusion_leave(&field->exclusion, true);
		rc = myrwlock_downgrade(&field->lock);
		worker->is_writing = false;
		is_right &= exclusion_enter(&field->exclusion, false);
	} else if (!worker->is_writing && rng_below(rng, 3) == 0) {
		rc = myrwlock_rdlock(&field->lock);
		pause_at_random(rng);
		if (!rc)
			rc = myrwlock_unlock(&field->lock);
	}
	if (!is_right)
		atomic_fetch_add(&field->wrong, 1);
	return rc;
}

static int visit(struct worker *worker, struct rng *rng)
{
	struct field *field = worker->field;
	int rc;

	worker->is_writing = rng_below(rng, 4) == 0;
	worker->form = (enum form)rng_below(rng, FORMS);
	rc = take(worker, rng);
	if ((rc == EBUSY && worker->form == TRY) ||
	    (rc == ETIMEDOUT && worker->form == SOON))
		return 0;
	if (rc)
		return rc;
	if (!exclusion_enter(&field->exclusion, worker->is_writing))
		atomic_fetch_add(&field->wrong, 1);
	pause_at_random(rng);
	rc = go_on_inside(worker, rng);
	if (!exclusion_leave(&field->exclusion, worker->is_writing))
		atomic_fetch_add(&field->wrong, 1);
	return rc ? rc : myrwlock_unlock(&field->lock);
}

static void *run(void *arg)
{
	struct worker *worker = arg;
	struct rng rng;

	rng_seed(&rng, worker->seed);
	for (int i = 0; i < worker->field->visits && !worker->error; i++) {
		worker->error = visit(worker, &rng);
		pause_at_random(&rng);
	}
	return NULL;
}

static void stress(int policy, int visits, uint64_t seed)
{
	static struct field field;
	struct worker workers[THREADS];

	field = (struct field){
		.lock = MYRWLOCK_INITIALIZER_OF((uint16_t)policy),
		.visits = visits,
		.give_up_ns = tick_after(LIMIT_NS),
	};
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.field = &field,
			.seed = seed + (uint64_t)i,
		};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, run,
						&workers[i]),
				 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	for (int i = 0; i < THREADS; i++)
		if (workers[i].error)
			fail_msg("policy %d, seed %llu: thread %d: %s to %s "
				 "gave %d",
				 policy, (unsigned long long)seed, i,
				 form_name[workers[i].form],
				 workers[i].is_writing ? "write" : "read",
				 workers[i].error);
	assert_int_equal(atomic_load(&field.wrong), 0);
	assert_int_equal(field.exclusion.half, field.exclusion.other_half);
	assert_int_equal(myrwlock_destroy(&field.lock), 0);
}

static void all_forms_at_random_exclude_and_end(void **state)
{
	const int runs = support_is_stress() ? 100 : 1;
	const int visits = support_is_stress() ? 5000 : 1500;

	(void)state;
	for (int i = 0; i < runs; i++)
		for (int policy = 0; policy < 3; policy++)
			stress(policy, visits, (uint64_t)i * 1000 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_forms_at_random_exclude_and_end),
	};
	return SUPPORT_MAIN(tests);
}
