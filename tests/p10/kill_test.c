/* kill -9 of owners, waiters and managers, at rest and at 500 random points;
 * between chosen steps they die in crash_test.c.
 * timeout: 180 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/rng.h"
#include "p10-sempool/memory.h"
#include "tests/p10/fixture.h"

/* ---- who holds ---- */

/* Dead, and not yet reaped. */
static void kill_to_zombie(pid_t pid)
{
	siginfo_t info;

	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void slot_of_a_dead_owner_comes_back_and_of_a_stopped_one_not(
	void **state)
{
	struct fixture fixture;
	struct sempool_state look;
	int status = 0;
	pid_t pid;

	(void)state;
	fixture_make(&fixture, 1);
	pid = fixture_start_owner(&fixture);
	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fixture_reclaim(&fixture.pool), 0);
	assert_int_equal(sempool_count_free(&fixture.pool), 0);
	kill_to_zombie(pid);
	assert_int_equal(fixture_reclaim(&fixture.pool), 0);
	assert_int_equal(sempool_count_free(&fixture.pool), 1);
	sempool_look(&fixture.pool, &look);
	assert_int_equal(look.reclaimed, 1);
	assert_int_equal(look.lent, 1);
	assert_int_equal(fixture_reap(&fixture, pid), 128 + SIGKILL);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void dead_owner_in_a_full_pool_is_found_soon(void **state)
{
	struct sempool_lease lease[SEMPOOL_MAX - 1];
	struct fixture fixture;
	int reclaims = 0;

	(void)state;
	fixture_make(&fixture, SEMPOOL_MAX);
	for (int i = 0; i < SEMPOOL_MAX - 1; i++)
		assert_int_equal(sempool_acquire(&fixture.pool, &lease[i]), 0);
	for (int is_reaped = 0; is_reaped < 2; is_reaped++) {
		pid_t pid = fixture_start_owner(&fixture);

		kill_to_zombie(pid);
		if (is_reaped)
			assert_int_equal(fixture_reap(&fixture, pid),
					 128 + SIGKILL);
		/* The last that would be looked at. */
		atomic_store(&fixture.pool.memory->next_slot, 0);
		for (reclaims = 0; reclaims < 20; reclaims++) {
			if (sempool_count_free(&fixture.pool))
				break;
			assert_int_equal(fixture_reclaim(&fixture.pool), 0);
		}
		assert_int_equal(reclaims, is_reaped ? 1 : SEMPOOL_MAX / 128);
		if (!is_reaped)
			assert_int_equal(fixture_reap(&fixture, pid),
					 128 + SIGKILL);
	}
	for (int i = 0; i < SEMPOOL_MAX - 1; i++)
		assert_int_equal(sempool_release(&fixture.pool, &lease[i]), 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void pid_of_a_later_process_is_not_mistaken(void **state)
{
	struct fixture fixture;
	_Atomic uint64_t *word;
	pid_t pid;

	(void)state;
	fixture_make(&fixture, 1);
	pid = fixture_start_owner(&fixture);
	/* Another start time, so the owner was an earlier process. */
	word = &fixture.pool.memory->entry[0].word;
	assert_int_equal(entry_pid(*word), pid);
	atomic_fetch_sub(word, UINT64_C(1) << 30);
	assert_int_equal(fixture_reclaim(&fixture.pool), 0);
	assert_int_equal(sempool_count_free(&fixture.pool), 1);
	kill(pid, SIGKILL);
	assert_int_equal(fixture_reap(&fixture, pid), 128 + SIGKILL);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static int take_and_give_back(void *arg)
{
	struct sempool *pool = arg;
	struct sempool_lease lease;

	return sempool_acquire_until(pool, &lease, tick_after(CHILD_LIMIT)) ||
	       sempool_release(pool, &lease);
}

static void waiters_need_no_manager_to_get_a_dead_ones_slot(void **state)
{
	struct fixture fixture;
	pid_t owner, pid[3] = {0};

	(void)state;
	fixture_make(&fixture, 1);
	owner = fixture_start_owner(&fixture);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			child_fork(take_and_give_back, &fixture.pool, &pid[i]),
			0);
	fixture_wait_for_waiter(&fixture);
	kill(owner, SIGKILL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fixture_reap(&fixture, pid[i]), 0);
	assert_int_equal(fixture_reap(&fixture, owner), 128 + SIGKILL);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void wake_up_that_nobody_heard_is_made_good(void **state)
{
	struct fixture fixture;
	struct sempool_lease lease;
	struct entry *slot;
	pid_t pid = 0;

	(void)state;
	fixture_make(&fixture, 1);
	slot = fixture.pool.memory->entry;
	assert_int_equal(sempool_acquire(&fixture.pool, &lease), 0);
	assert_int_equal(child_fork(take_and_give_back, &fixture.pool, &pid),
			 0);
	fixture_wait_for_waiter(&fixture);
	/* As if a unit had come and the one who was woken had died: the slot is
	 * free, and nobody is told. */
	assert_true(entry_release(slot, lease.word));
	assert_int_equal(fixture_reap(&fixture, pid), 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

/* ---- the manager ---- */

static int create_and_die(void *arg)
{
	struct fixture *fixture = arg;
	bool is_taken_over;

	if (sempool_create(&fixture->pool, fixture->name, 2, &is_taken_over))
		return 1;
	raise(SIGKILL);
	return 2;
}

static bool has_manager(void *arg)
{
	struct sempool_state look;

	sempool_look(arg, &look);
	return look.manager != 0;
}

static int take_two(void *arg)
{
	struct fixture *fixture = arg;
	struct sempool *pool = &fixture->pool;
	struct sempool_lease lease[2];

	if (sempool_open(pool, fixture->name, tick_after(CHILD_LIMIT)) ||
	    sempool_acquire(pool, &lease[0]) ||
	    sempool_acquire(pool, &lease[1]))
		return 1;
	if (!support_wait_until(has_manager, pool, CHILD_LIMIT / TICK_MS))
		return 2;
	return sempool_release(pool, &lease[0]) ||
	       sempool_release(pool, &lease[1]);
}

static void next_manager_takes_over_all_that_is_held(void **state)
{
	struct fixture fixture;
	bool is_taken_over = false;
	pid_t pid = 0;

	(void)state;
	fixture_begin(&fixture);
	assert_int_equal(
		support_child_status(create_and_die, &fixture, LIMIT / TICK_MS),
		128 + SIGKILL);
	assert_int_equal(child_fork(take_two, &fixture, &pid), 0);
	assert_int_equal(sempool_open(&fixture.pool, fixture.name, 0), 0);
	fixture_wait_for_none_free(&fixture);
	sempool_close(&fixture.pool);
	assert_int_equal(
		sempool_create(&fixture.pool, fixture.name, 2, &is_taken_over),
		0);
	assert_true(is_taken_over);
	assert_int_equal(fixture_reap(&fixture, pid), 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

/* ---- at random ---- */

enum { SLOTS = 3, WORKERS = 6 };

/* What the workers check each other by. */
struct ground {
	struct fixture *fixture;
	_Atomic uint64_t user[SLOTS]; /* who uses the connection */
	_Atomic uint64_t uses;
	_Atomic uint64_t twice; /* while another was still using it */
};

struct player {
	struct ground *ground;
	uint64_t seed;
};

static void use(struct ground *ground, unsigned int slot, uint64_t self,
		struct rng *rng)
{
	uint64_t before = atomic_exchange(&ground->user[slot], self);

	if (before && entry_owner_is_alive(before))
		atomic_fetch_add(&ground->twice, 1);
	if (rng_below(rng, 2))
		tick_sleep_until(
			tick_after((int64_t)rng_below(rng, 300) * TICK_US));
	atomic_fetch_add(&ground->uses, 1);
	atomic_store(&ground->user[slot], 0);
}

static int work(void *arg)
{
	struct player *player = arg;
	struct ground *ground = player->ground;
	struct sempool *pool = &ground->fixture->pool;
	uint64_t self = entry_self();
	struct sempool_lease lease;
	struct rng rng;

	rng_seed(&rng, player->seed);
	for (;;) {
		if (sempool_acquire_until(pool, &lease,
					  tick_after(LIMIT / 2))) {
			fixture_describe(pool);
			return 1;
		}
		use(ground, lease.slot, self, &rng);
		if (sempool_release(pool, &lease))
			return 2;
	}
}

static int manage(void *arg)
{
	struct player *player = arg;
	struct fixture *fixture = player->ground->fixture;
	bool is_taken_over;
	struct sempool pool;
	int rc = sempool_create(&pool, fixture->name, SLOTS, &is_taken_over);

	if (rc || !is_taken_over)
		return 3;
	while (!sempool_reclaim(&pool))
		tick_sleep_until(tick_after(SEMPOOL_RECLAIM_NS));
	return 4;
}

/* The first of them is the manager. */
static void start_player(struct ground *ground, int i, struct rng *rng,
			 pid_t *pid)
{
	struct player player = {ground, rng_next(rng)};

	assert_int_equal(child_fork(i == 0 ? manage : work, &player, pid), 0);
}

static struct ground *make_ground(struct fixture *fixture)
{
	struct ground *ground =
		mmap(NULL, sizeof(*ground), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(ground != MAP_FAILED);
	ground->fixture = fixture;
	fixture_make(fixture, SLOTS);
	/* Only opened: one of the players is the manager. */
	sempool_close(&fixture->pool);
	assert_int_equal(sempool_open(&fixture->pool, fixture->name, 0), 0);
	return ground;
}

static void five_hundred_kills_at_random_lose_nothing_and_lend_nothing_twice(
	void **state)
{
	int kills = support_is_stress() ? 20000 : 500;
	pid_t pid[1 + WORKERS] = {0};
	struct fixture fixture;
	struct ground *ground = make_ground(&fixture);
	bool is_taken_over;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 10);
	for (int i = 0; i <= WORKERS; i++)
		start_player(ground, i, &rng, &pid[i]);
	for (int k = 0; k < kills; k++) {
		int i = (int)rng_below(&rng, 1 + WORKERS);

		tick_sleep_until(
			tick_after((int64_t)rng_below(&rng, 3000) * TICK_US));
		kill(pid[i], SIGKILL);
		assert_int_equal(fixture_reap(&fixture, pid[i]), 128 + SIGKILL);
		start_player(ground, i, &rng, &pid[i]);
	}
	for (int i = 0; i <= WORKERS; i++) {
		kill(pid[i], SIGKILL);
		assert_int_equal(fixture_reap(&fixture, pid[i]), 128 + SIGKILL);
	}
	assert_int_equal(ground->twice, 0);
	assert_true(ground->uses > 0);
	fixture_assert_whole(&fixture.pool);
	sempool_close(&fixture.pool);
	assert_int_equal(sempool_create(&fixture.pool, fixture.name, SLOTS,
					&is_taken_over),
			 0);
	fixture_remove(&fixture);
	munmap(ground, sizeof(*ground));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			slot_of_a_dead_owner_comes_back_and_of_a_stopped_one_not),
		cmocka_unit_test(dead_owner_in_a_full_pool_is_found_soon),
		cmocka_unit_test(pid_of_a_later_process_is_not_mistaken),
		cmocka_unit_test(
			waiters_need_no_manager_to_get_a_dead_ones_slot),
		cmocka_unit_test(wake_up_that_nobody_heard_is_made_good),
		cmocka_unit_test(next_manager_takes_over_all_that_is_held),
		cmocka_unit_test(
			five_hundred_kills_at_random_lose_nothing_and_lend_nothing_twice),
	};
	return SUPPORT_MAIN(tests);
}
