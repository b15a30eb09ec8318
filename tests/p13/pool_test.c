/* The pool: who does which rows, and when. Deaths are in pool_death_test.c. */
#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sem.h>

#include "lib/sysv.h"
#include "p13-shm-image/pool.h"
#include "p13-shm-image/pool_worker.h"
#include "tests/p13/pool_ground.h"
#include "tests/support/foreign.h"
#include "tests/support/unshare.h"

static void every_row_is_done_once_after_those_it_reads(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	unsigned int most = support_is_valgrind() ? 4 : 20;

	for (unsigned int workers = 1; workers <= most; workers += 3) {
		for (int schedule = 0; schedule < 2; schedule++) {
			struct pool_options options = options_of(
				ground, workers, (enum pool_schedule)schedule);

			memset(ground, 0, sizeof(*ground));
			assert_int_equal(pool_run(&options), 0);
			assert_all_done(ground, 1, 1);
			assert_int_equal(ground->starts, workers);
			assert_int_equal(ground->ends, workers);
		}
	}
}

/* Whoever did a strip is on the scoreboard. */
static void static_schedule_leaves_each_worker_its_own_strips(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;

	for (int schedule = 0; schedule < 2; schedule++) {
		struct pool_options options =
			options_of(ground, 2, (enum pool_schedule)schedule);
		uint32_t strips = pool_strips(ROWS), first = 0;

		memset(ground, 0, sizeof(*ground));
		ground->waits = true;
		assert_int_equal(pool_run(&options), 0);
		for (uint32_t strip = 0; strip < strips; strip++)
			first += ground->board.strip[0][strip] == 2 * 1 + 1;
		assert_int_equal(first, schedule == POOL_STATIC
						? pool_worker_begin(&options, 1)
						: 1);
	}
}

static void last_stage_begins_where_its_rows_are_done(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;

	for (unsigned int round = 0; round < 12; round++) {
		struct pool_options options =
			options_of(ground, 1 + round / 2 % 3,
				   (enum pool_schedule)(round % 2));

		memset(ground, 0, sizeof(*ground));
		ground->is_last_apart = options.is_last_apart = true;
		ground->last_halo = options.last_halo = 9 * (round / 2);
		ground->kills = round >= 6;
		ground->kill_row = 25 * (round - 6);
		assert_int_equal(pool_run(&options), 0);
		assert_all_done(ground, 1, 1 + (round >= 6));
		if (options.workers == 1)
			assert_true(ground->went_along);
	}
}

/* 30 rows more. A worker that does not wait has time to be caught. */
static int64_t load(void *arg)
{
	struct ground *ground = arg;
	int64_t deadline = tick_after(200 * TICK_MS);
	unsigned int loaded = atomic_load(&ground->loaded);

	if (loaded == 0)
		while (!atomic_load(&ground->early) && !tick_is_over(deadline))
			sched_yield();
	if (loaded > ROWS / 2 && ground->load_error)
		return ground->load_error;
	atomic_store(&ground->loaded, loaded + 30 < ROWS ? loaded + 30 : ROWS);
	return atomic_load(&ground->loaded);
}

static void rows_are_not_read_before_they_are_there(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;

	for (int round = 0; round < 4; round++) {
		struct pool_options options =
			options_of(ground, 2, (enum pool_schedule)(round % 2));

		memset(ground, 0, sizeof(*ground));
		options.load = load;
		options.halo = ground->halo = round < 2 ? 1 : 70;
		ground->kills = 1;
		ground->kill_row = 60;
		assert_int_equal(pool_run(&options), 0);
		assert_all_done(ground, 1, 2);
		assert_int_equal(ground->deaths, 1);
	}
}

static void load_that_fails_ends_the_run(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct pool_options options = options_of(ground, 3, POOL_DYNAMIC);

	options.load = load;
	ground->load_error = -EBADMSG;
	assert_int_equal(pool_run(&options), -EBADMSG);
	assert_int_equal(ground->starts, 0);
}

static int yes(void)
{
	return SIGINT;
}

/* No rows come, for as long as it is asked. */
static int64_t load_nothing(void *arg)
{
	struct ground *ground = arg;

	return atomic_fetch_add(&ground->loaded, 1) < 1000 ? 0 : -ENODATA;
}

static void stop_ends_the_loading(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct pool_options options = options_of(ground, 2, POOL_DYNAMIC);

	options.load = load_nothing;
	options.is_stopped = yes;
	assert_int_equal(pool_run(&options), -EINTR);
}

static void error_of_the_work_is_the_result(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct pool_options options = options_of(ground, 2, POOL_DYNAMIC);

	ground->error = -ENOMEM;
	assert_int_equal(pool_run(&options), -ENOMEM);
}

static void stop_ends_all_workers(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct pool_options options = options_of(ground, 3, POOL_DYNAMIC);

	options.is_stopped = yes;
	assert_int_equal(pool_run(&options), -EINTR);
}

static int noted_set, noted_calls;
static struct foreign foreign;

static void note_set(int id, bool is_there)
{
	noted_calls = is_there ? 1 : noted_calls + 1;
	noted_set = id;
}

/* The set goes, and another's gets its id. Their keys differ, as their times
 * may not. */
static int replace_set(void)
{
	char text[16];

	if (foreign.n > 0)
		return SIGINT;
	snprintf(text, sizeof(text), "%d", noted_set);
	semctl(noted_set, 0, IPC_RMID);
	if (support_put_text("/proc/sys/kernel/sem_next_id", text) == 0)
		foreign_make_key(&foreign, OBJNAME_SYSV_SEM, 0x70313301);
	return SIGINT;
}

static void set_that_has_our_id_and_is_not_ours_stays(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct pool_options options = options_of(ground, 2, POOL_DYNAMIC);
	bool has_our_id;

	options.note_set = note_set;
	options.is_stopped = replace_set;
	assert_true(pool_run(&options) < 0);
	assert_int_equal(noted_calls, 2);
	has_our_id = foreign.n == 1 && foreign.object[0].id == noted_set;
	foreign_assert_unharmed(&foreign);
	foreign_remove(&foreign);
	if (!has_our_id) {
		print_message("no right to choose the next id\n");
		skip();
	}
}

/* In an IPC namespace, which takes along what stays. */
static int run_without_proc(void *arg)
{
	struct pool_options options = options_of(arg, 2, POOL_DYNAMIC);

	if (unshare_as_anybody(CLONE_NEWNS | CLONE_NEWIPC) ||
	    mount("", "/", "", MS_REC | MS_PRIVATE, "") ||
	    mount("none", "/proc", "tmpfs", 0, ""))
		return 77;
	options.note_set = note_set;
	if (pool_run(&options) || noted_calls != 1)
		return 1;
	return semctl(noted_set, 0, GETVAL) < 0;
}

static void set_that_cannot_be_told_stays_and_is_noted(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	int status = support_child_status(run_without_proc, ground, 20000);

	if (status == 77) {
		print_message("namespaces are not permitted here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void scoreboard_of_another_version_is_not_worked_on(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct pool_options options = options_of(ground, 1, POOL_DYNAMIC);
	struct pool_worker worker = {
		.options = &options, .set = -1, .number = 1};

	assert_int_equal(pool_run(&options), 0);
	assert_int_equal(ground->board.magic, POOL_MAGIC);
	assert_int_equal(ground->board.bytes, sizeof(ground->board));
	for (int i = 0; i < 3; i++) {
		struct pool_scoreboard *board = &ground->board;

		board->magic ^= i == 0;
		board->version ^= i == 1;
		board->bytes ^= i == 2;
		assert_int_equal(
			support_child_status(pool_worker_run, &worker, 20000),
			1);
		assert_int_equal(board->slot[1].error, -EBADMSG);
		board->magic ^= i == 0;
		board->version ^= i == 1;
		board->bytes ^= i == 2;
	}
}

/* Whether it is done, or was killed. */
static void end_of_a_worker_is_counted(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct pool_options options = options_of(ground, 1, POOL_DYNAMIC);
	struct pool_worker worker = {.options = &options, .number = 1};
	unsigned short values[POOL_SEMAPHORES] = {0};

	values[POOL_LOADED] = (unsigned short)pool_strips(ROWS);
	for (int stage = 0; stage < STAGES; stage++)
		values[POOL_BARRIER + stage] = values[POOL_LOADED];
	assert_int_equal(pool_run(&options),
			 0); /* the head of the scoreboard */
	assert_int_equal(ground->board.slot[1].stage, STAGES - 1);
	for (int i = 0; i < 2; i++) {
		memset(ground->board.strip, 0, sizeof(ground->board.strip));
		worker.set = sysv_sem_create(IPC_PRIVATE, POOL_SEMAPHORES,
					     values, 0600);
		assert_true(worker.set >= 0);
		ground->kills = (unsigned int)i;
		assert_int_equal(
			support_child_status(pool_worker_run, &worker, 20000),
			i ? 128 + SIGKILL : 0);
		assert_int_equal(semctl(worker.set, POOL_EXITS, GETVAL), 1);
		assert_int_equal(semctl(worker.set, 0, IPC_RMID), 0);
	}
}

static void strips_cover_all_rows_and_fit_the_scoreboard(void **state)
{
	static const uint32_t rows[] = {1,    2,      15,      16,       1023,
					1024, 131072, 1000000, 268435456};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t strips = pool_strips(rows[i]);

		assert_in_range(strips, 1, POOL_STRIPS_MAX);
		assert_true(strips * pool_strip_rows(rows[i]) >= rows[i]);
		assert_true((strips - 1) * pool_strip_rows(rows[i]) < rows[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_row_is_done_once_after_those_it_reads),
		CASE(static_schedule_leaves_each_worker_its_own_strips),
		CASE(last_stage_begins_where_its_rows_are_done),
		CASE(rows_are_not_read_before_they_are_there),
		CASE(load_that_fails_ends_the_run),
		CASE(stop_ends_the_loading),
		CASE(error_of_the_work_is_the_result),
		CASE(stop_ends_all_workers),
		CASE(set_that_has_our_id_and_is_not_ours_stays),
		CASE(set_that_cannot_be_told_stays_and_is_noted),
		CASE(scoreboard_of_another_version_is_not_worked_on),
		CASE(end_of_a_worker_is_counted),
		cmocka_unit_test(strips_cover_all_rows_and_fit_the_scoreboard),
	};

	return SUPPORT_MAIN(tests);
}
