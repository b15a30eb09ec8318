/* Who has waited for some time is not overtaken any more; and nobody who died,
 * stopped or left with a grant keeps the slot from the others. */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/park.h"
#include "p10-sempool/grant.h"
#include "tests/p10/fixture.h"

/* --wrap=park_word_wake: between the grant and its call. */
static bool dies_before_wake_up;

void __real_park_word_wake(const uint32_t *word, int32_t n, bool is_shared);
void __wrap_park_word_wake(const uint32_t *word, int32_t n, bool is_shared);
void __wrap_park_word_wake(const uint32_t *word, int32_t n, bool is_shared)
{
	if (dies_before_wake_up)
		raise(SIGKILL);
	__real_park_word_wake(word, n, is_shared);
}

struct table {
	struct fixture fixture;
	_Atomic int n_served;
	_Atomic pid_t served[4]; /* in order */
	pid_t pid[4];
};

static struct table *table_make(unsigned int slots)
{
	struct table *table = mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(table != MAP_FAILED);
	fixture_make(&table->fixture, slots);
	return table;
}

static void table_remove(struct table *table)
{
	fixture_assert_whole(&table->fixture.pool);
	fixture_remove(&table->fixture);
	munmap(table, sizeof(*table));
}

static int take_and_give_back(void *arg)
{
	struct table *table = arg;
	struct sempool *pool = &table->fixture.pool;
	struct sempool_lease lease;

	if (sempool_acquire_until(pool, &lease, tick_after(CHILD_LIMIT)))
		return 1;
	table->served[atomic_fetch_add(&table->n_served, 1)] = getpid();
	return sempool_release(pool, &lease) ? 2 : 0;
}

static struct entry *find_asker(const struct table *table, pid_t pid)
{
	struct sempool *pool = (struct sempool *)&table->fixture.pool;
	struct entry *waiters = pool->memory->entry + pool->slots;

	for (int i = 0; i < SEMPOOL_WAITERS; i++)
		if (entry_pid(waiters[i].word) == pid &&
		    waiters[i].asks_since_ns)
			return &waiters[i];
	return NULL;
}

struct question {
	struct table *table;
	int waiter;
};

static bool asks(void *arg)
{
	struct question *question = arg;
	const struct table *table = question->table;

	return find_asker(table, table->pid[question->waiter]) != NULL;
}

/* Who watches it may be quicker than we are, and grant what it asks for. */
static bool has_asked(void *arg)
{
	const struct question *question = arg;
	const struct table *table = question->table;

	for (int i = 0; i < 4; i++)
		if (table->served[i] == table->pid[question->waiter])
			return true;
	return asks(arg);
}

static void start_waiter(struct table *table, int i)
{
	struct question question = {table, i};

	assert_int_equal(child_fork(take_and_give_back, table, &table->pid[i]),
			 0);
	if (!support_wait_until(has_asked, &question, LIMIT / TICK_MS)) {
		fixture_describe(&table->fixture.pool);
		fail_msg("waiter %d does not ask", i);
	}
}

static void who_has_waited_is_not_overtaken(void **state)
{
	struct table *table = table_make(1);
	struct sempool *pool = &table->fixture.pool;
	struct sempool_lease lease;

	(void)state;
	assert_int_equal(sempool_acquire(pool, &lease), 0);
	start_waiter(table, 0);
	/* The quickest there is. */
	assert_int_equal(sempool_release(pool, &lease), 0);
	assert_int_equal(sempool_acquire_until(pool, &lease, tick_after(LIMIT)),
			 0);
	assert_int_equal(table->n_served, 1);
	assert_int_equal(sempool_release(pool, &lease), 0);
	assert_int_equal(fixture_reap(&table->fixture, table->pid[0]), 0);
	table_remove(table);
}

/* As the reader would see it: given back every millisecond, for a second. */
static int wait_half_a_second(void *arg)
{
	struct table *table = arg;
	struct sempool_lease lease;
	int error = sempool_acquire_until(&table->fixture.pool, &lease,
					  tick_after(TICK_S / 2));

	table->n_served++;
	return error || sempool_release(&table->fixture.pool, &lease);
}

static void timeout_is_not_spent_on_being_overtaken(void **state)
{
	struct table *table = table_make(1);
	struct sempool *pool = &table->fixture.pool;
	int64_t give_up = tick_after(LIMIT);
	struct sempool_lease lease;

	(void)state;
	assert_int_equal(sempool_acquire(pool, &lease), 0);
	assert_int_equal(child_fork(wait_half_a_second, table, &table->pid[0]),
			 0);
	while (!table->n_served && !tick_is_over(give_up)) {
		tick_sleep_until(tick_after(TICK_MS));
		assert_int_equal(sempool_release(pool, &lease), 0);
		assert_int_equal(
			sempool_acquire_until(pool, &lease, tick_after(LIMIT)),
			0);
	}
	assert_int_equal(fixture_reap(&table->fixture, table->pid[0]), 0);
	assert_int_equal(sempool_release(pool, &lease), 0);
	table_remove(table);
}

static void who_came_first_is_served_first(void **state)
{
	struct table *table = table_make(1);
	struct sempool *pool = &table->fixture.pool;
	struct sempool_lease lease;

	(void)state;
	assert_int_equal(sempool_acquire(pool, &lease), 0);
	for (int i = 0; i < 3; i++)
		start_waiter(table, i);
	assert_int_equal(sempool_release(pool, &lease), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fixture_reap(&table->fixture, table->pid[i]),
				 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(table->served[i], table->pid[i]);
	table_remove(table);
}

static void stop_waiter(struct table *table, int i)
{
	kill(table->pid[i], SIGSTOP);
	assert_int_equal(waitpid(table->pid[i], NULL, WUNTRACED),
			 table->pid[i]);
}

/* The slot is granted to waiter 0, which is stopped and cannot take it; waiter 1
 * asks, too, and is stopped until the test lets it go. */
static struct table *table_make_with_stopped_grantee(void)
{
	struct table *table = table_make(1);
	struct sempool *pool = &table->fixture.pool;
	struct sempool_lease lease;

	assert_int_equal(sempool_acquire(pool, &lease), 0);
	for (int i = 0; i < 2; i++)
		start_waiter(table, i);
	for (int i = 0; i < 2; i++)
		stop_waiter(table, i);
	assert_int_equal(sempool_release(pool, &lease), 0);
	assert_int_equal(sempool_count_free(pool), 0);
	return table;
}

static void waiter_that_is_killed_with_a_grant_costs_nothing(void **state)
{
	struct table *table = table_make_with_stopped_grantee();

	(void)state;
	kill(table->pid[1], SIGCONT);
	kill(table->pid[0], SIGKILL);
	assert_int_equal(fixture_reap(&table->fixture, table->pid[0]),
			 128 + SIGKILL);
	assert_int_equal(fixture_reap(&table->fixture, table->pid[1]), 0);
	assert_int_equal(table->served[0], table->pid[1]);
	table_remove(table);
}

/* Who died before that gets none. */
static void slot_is_not_granted_to_one_who_was_killed(void **state)
{
	struct table *table = table_make(1);
	struct sempool *pool = &table->fixture.pool;
	struct sempool_lease lease;

	(void)state;
	assert_int_equal(sempool_acquire(pool, &lease), 0);
	start_waiter(table, 0);
	kill(table->pid[0], SIGKILL);
	assert_int_equal(fixture_reap(&table->fixture, table->pid[0]),
			 128 + SIGKILL);
	assert_int_equal(sempool_release(pool, &lease), 0);
	assert_int_equal(sempool_count_free(pool), 1);
	table_remove(table);
}

/* However short a time ago it was, and however many slots are looked at more
 * thoroughly before it. */
static void grant_of_one_who_was_killed_is_passed_on_at_once(void **state)
{
	enum { MANY = 200 };
	static struct sempool_lease lease[MANY];
	struct table *table = table_make(MANY);
	struct sempool *pool = &table->fixture.pool;

	(void)state;
	for (unsigned int i = 0; i < MANY; i++) {
		assert_int_equal(sempool_acquire(pool, &lease[i]), 0);
		assert_int_equal(lease[i].slot, i);
	}
	start_waiter(table, 0);
	stop_waiter(table, 0);
	assert_int_equal(sempool_release(pool, &lease[MANY - 1]), 0);
	kill(table->pid[0], SIGKILL);
	assert_int_equal(fixture_reap(&table->fixture, table->pid[0]),
			 128 + SIGKILL);
	atomic_store(&pool->memory->next_slot, 0);
	entry_date(&pool->memory->entry[MANY - 1]);
	assert_int_equal(fixture_reclaim(pool), 0);
	assert_int_equal(sempool_count_free(pool), 1);
	for (unsigned int i = 0; i < MANY - 1; i++)
		assert_int_equal(sempool_release(pool, &lease[i]), 0);
	table_remove(table);
}

static void pass_over_who_is_stopped(struct table *table)
{
	struct sempool *pool = &table->fixture.pool;
	struct sempool_lease lease;

	kill(table->pid[1], SIGCONT);
	assert_int_equal(fixture_reap(&table->fixture, table->pid[1]), 0);
	/* Nor does it delay those who come now. */
	assert_null(find_asker(table, table->pid[0]));
	assert_int_equal(sempool_acquire_until(pool, &lease, tick_after(LIMIT)),
			 0);
	assert_int_equal(sempool_release(pool, &lease), 0);
	kill(table->pid[0], SIGCONT);
	assert_int_equal(fixture_reap(&table->fixture, table->pid[0]), 0);
	table_remove(table);
}

static void waiter_that_is_stopped_is_passed_over(void **state)
{
	(void)state;
	pass_over_who_is_stopped(table_make_with_stopped_grantee());
}

static void grant_of_a_time_to_come_is_passed_on_too(void **state)
{
	struct table *table = table_make_with_stopped_grantee();

	(void)state;
	atomic_store(&table->fixture.pool.memory->entry[0].since_ns, INT64_MAX);
	pass_over_who_is_stopped(table);
}

static int give_and_die(void *arg)
{
	struct table *table = arg;
	struct sempool *pool = &table->fixture.pool;
	struct sempool_lease lease;
	struct question question = {table, 0};

	if (sempool_acquire_until(pool, &lease, tick_after(CHILD_LIMIT)))
		return 1;
	table->n_served = 1; /* we have it */
	if (!support_wait_until(asks, &question, CHILD_LIMIT / TICK_MS))
		return 2;
	dies_before_wake_up = true;
	return sempool_release(pool, &lease) ? 3 : 4;
}

static bool is_held(void *arg)
{
	return ((struct table *)arg)->n_served == 1;
}

static void giver_that_is_killed_before_its_wake_up_costs_nothing(void **state)
{
	struct table *table = table_make(1);
	pid_t giver = 0;

	(void)state;
	assert_int_equal(child_fork(give_and_die, table, &giver), 0);
	assert_true(support_wait_until(is_held, table, LIMIT / TICK_MS));
	table->n_served = 0;
	start_waiter(table, 0);
	assert_int_equal(fixture_reap(&table->fixture, giver), 128 + SIGKILL);
	assert_int_equal(fixture_reap(&table->fixture, table->pid[0]), 0);
	table_remove(table);
}

static void grants_to_nobody_are_given_back(void **state)
{
	struct table *table = table_make(2);
	struct sempool_memory *memory = table->fixture.pool.memory;

	(void)state;
	/* Waiters 0 and 1023, of whom there are none; both slots without a unit. */
	for (int i = 0; i < 2; i++) {
		uint64_t waiter = i ? SEMPOOL_WAITERS - 1 : 0;

		atomic_store(&memory->entry[i].word,
			     (1 << 20 | waiter << 8 | 7) << 30 | 9);
		sem_trywait(&memory->units);
	}
	table_remove(table);
}

static void lies_about_who_asks_keep_nobody_from_a_slot(void **state)
{
	struct table *table = table_make(1);
	struct sempool *pool = &table->fixture.pool;
	struct entry *waiters = pool->memory->entry + 1;
	struct sempool_lease lease;

	(void)state;
	/* Of a living one who does not wait: ourselves. */
	for (int i = 0; i < SEMPOOL_WAITERS; i++) {
		atomic_store(&waiters[i].word, *pool->self | 5);
		atomic_store(&waiters[i].asks_since_ns, 1 + i);
	}
	atomic_store(&pool->memory->has_askers, 1);
	assert_int_equal(sempool_acquire(pool, &lease), 0);
	assert_int_equal(sempool_release(pool, &lease), 0);
	assert_int_equal(sempool_count_free(pool), 0);
	for (int i = 0; i < SEMPOOL_WAITERS; i++)
		entry_release(&waiters[i], *pool->self | 5);
	assert_int_equal(sempool_acquire_until(pool, &lease, tick_after(LIMIT)),
			 0);
	assert_int_equal(sempool_release(pool, &lease), 0);
	table_remove(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_waited_is_not_overtaken),
		cmocka_unit_test(timeout_is_not_spent_on_being_overtaken),
		cmocka_unit_test(who_came_first_is_served_first),
		cmocka_unit_test(
			waiter_that_is_killed_with_a_grant_costs_nothing),
		cmocka_unit_test(slot_is_not_granted_to_one_who_was_killed),
		cmocka_unit_test(
			grant_of_one_who_was_killed_is_passed_on_at_once),
		cmocka_unit_test(waiter_that_is_stopped_is_passed_over),
		cmocka_unit_test(grant_of_a_time_to_come_is_passed_on_too),
		cmocka_unit_test(
			giver_that_is_killed_before_its_wake_up_costs_nothing),
		cmocka_unit_test(grants_to_nobody_are_given_back),
		cmocka_unit_test(lies_about_who_asks_keep_nobody_from_a_slot),
	};
	return SUPPORT_MAIN(tests);
}
