/* bench.c - beside the C library's lock, of its default kind and the one that
 * prefers writers: operations a second for a mix of reads and writes with
 * sections of next to nothing, and who waits how long when readers overlap all
 * the time. Trials of the three alternate; ratios are medians of the ratios
 * trial by trial. Each entry is checked: a reader sees two halves that agree,
 * and the writes add up. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/measure/rig.h"
#include "lib/rng.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p08-rwlock/myrwlock.h"

enum { TRIALS = 21, THREADS_MAX = 10, KINDS = 3, STARVATION_TRIALS = 3 };

#define MIX_NS (100 * TICK_MS)
#define STARVATION_NS (2 * TICK_S)
#define HOLD_NS (500 * TICK_US) /* of a reader that starves the writer */

/* ---- the three ---- */

union any_lock {
	struct myrwlock ours;
	pthread_rwlock_t libc;
};

struct kind {
	const char *title;
	bool is_ours;
	int libc_kind;
};

static const struct kind kinds[KINDS] = {
	{"myrwlock, fair", true, 0},
	{"pthread, default", false, PTHREAD_RWLOCK_PREFER_READER_NP},
	{"pthread, writers first", false,
	 PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP},
};

static void make_lock(const struct kind *kind, union any_lock *lock)
{
	pthread_rwlockattr_t attr;
	int rc;

	if (kind->is_ours) {
		rc = myrwlock_init(&lock->ours, NULL);
	} else {
		pthread_rwlockattr_init(&attr);
		pthread_rwlockattr_setkind_np(&attr, kind->libc_kind);
		rc = pthread_rwlock_init(&lock->libc, &attr);
		pthread_rwlockattr_destroy(&attr);
	}
	if (rc)
		die_errno(rc, "cannot make a lock");
}

static void remove_lock(const struct kind *kind, union any_lock *lock)
{
	int rc = kind->is_ours ? myrwlock_destroy(&lock->ours)
			       : pthread_rwlock_destroy(&lock->libc);

	if (rc)
		die_errno(rc, "cannot destroy a lock");
}

static int lock_it(const struct kind *kind, union any_lock *lock, bool to_write)
{
	if (kind->is_ours)
		return to_write ? myrwlock_wrlock(&lock->ours)
				: myrwlock_rdlock(&lock->ours);
	return to_write ? pthread_rwlock_wrlock(&lock->libc)
			: pthread_rwlock_rdlock(&lock->libc);
}

static int unlock_it(const struct kind *kind, union any_lock *lock)
{
	return kind->is_ours ? myrwlock_unlock(&lock->ours)
			     : pthread_rwlock_unlock(&lock->libc);
}

/* ---- what all threads of a trial share ---- */

struct field {
	const struct kind *kind;
	_Alignas(64) union any_lock lock;
	unsigned int writes_in_100;
	int64_t hold_ns;
	/* Guarded by the lock. */
	_Alignas(64) uint64_t half, other_half;
	_Alignas(64) uint32_t over; /* of the rig */
};

struct worker {
	_Alignas(64) struct field *field;
	struct rng rng;
	bool is_writer; /* of the starvation form */
	uint64_t reads, writes;
	int64_t longest_ns; /* wait, or gap from entry to entry */
};

/* One entry; whether all was as it must be. */
static bool enter_once(struct worker *worker, bool to_write)
{
	struct field *field = worker->field;
	bool is_right = lock_it(field->kind, &field->lock, to_write) == 0 &&
			field->half == field->other_half;

	if (to_write) {
		field->half++;
		worker->writes++;
		field->other_half++;
	} else {
		worker->reads++;
		if (field->hold_ns)
			tick_sleep_until(tick_after(field->hold_ns));
	}
	return unlock_it(field->kind, &field->lock) == 0 && is_right;
}

static bool is_over(const struct field *field)
{
	return __atomic_load_n(&field->over, __ATOMIC_RELAXED);
}

static int run_mix(void *arg, struct rig_gate *gate)
{
	struct worker *worker = arg;
	struct field *field = worker->field;
	bool is_right = rig_meet(gate) == 0;

	while (is_right && !is_over(field))
		is_right = enter_once(worker, rng_below(&worker->rng, 100) <
						      field->writes_in_100);
	return is_right ? 0 : -EBADMSG;
}

/* Every wait counts from the last entry on, so that one that is not over at
 * the end counts too. */
static int run_starvation(void *arg, struct rig_gate *gate)
{
	struct worker *worker = arg;
	bool is_right = rig_meet(gate) == 0;
	int64_t last = tick_now(), now;

	while (is_right && !is_over(worker->field)) {
		is_right = enter_once(worker, worker->is_writer);
		now = tick_now();
		if (now - last > worker->longest_ns)
			worker->longest_ns = now - last;
		last = now;
	}
	return is_right ? 0 : -EBADMSG;
}

/* Operations a second, of all. */
static double run_trial(struct field *field, struct worker *workers, size_t n,
			rig_body *body, int64_t duration_ns)
{
	struct rig_side side[THREADS_MAX];
	struct rig_result result[THREADS_MAX];
	const struct rig rig = {.side = side,
				.sides = n,
				.has_threads = true,
				.over = &field->over,
				.run_ns = duration_ns,
				.deadline =
					tick_after(duration_ns + 60 * TICK_S),
				.grace_ns = 10 * TICK_S};
	double ops_per_s = 0;
	uint64_t writes = 0;
	int error;

	make_lock(field->kind, &field->lock);
	for (size_t i = 0; i < n; i++) {
		workers[i].field = field;
		rng_seed(&workers[i].rng, (uint64_t)i + 1);
		side[i] = (struct rig_side){.body = body, .arg = &workers[i]};
	}
	error = rig_run(&rig, result);
	if (error == -EBADMSG)
		die("%s: a wrong entry", field->kind->title);
	if (error)
		die_errno(error, "%s: a thread did not end well",
			  field->kind->title);
	for (size_t i = 0; i < n; i++) {
		writes += workers[i].writes;
		ops_per_s += (double)(workers[i].reads + workers[i].writes) *
			     1e9 /
			     (double)(result[i].ended_ns - result[i].begun_ns);
	}
	if (writes != field->half || writes != field->other_half)
		die("%s: writes were lost", field->kind->title);
	remove_lock(field->kind, &field->lock);
	return ops_per_s;
}

/* ---- operations a second ---- */

static double time_mix(const struct kind *kind, size_t threads,
		       unsigned int writes_in_100)
{
	static struct field field;
	struct worker workers[THREADS_MAX] = {0};

	field = (struct field){.kind = kind, .writes_in_100 = writes_in_100};
	return run_trial(&field, workers, threads, run_mix, MIX_NS);
}

static void compare_mix(struct out_table *table, size_t threads,
			unsigned int writes_in_100, const char *goal)
{
	double ops[KINDS][TRIALS], ratio[KINDS][TRIALS];
	char text[16];

	for (int i = 0; i < TRIALS; i++) {
		/* Who goes first alternates too. */
		for (int k = 0; k < KINDS; k++) {
			int kind = (i + k) % KINDS;

			ops[kind][i] =
				time_mix(&kinds[kind], threads, writes_in_100);
		}
		for (int k = 0; k < KINDS; k++)
			ratio[k][i] = ops[0][i] / ops[k][i];
	}
	out_table_row(table);
	out_table_cell(table, "%zu", threads);
	out_table_cell(table, "%u/%u", 100 - writes_in_100, writes_in_100);
	for (int k = 0; k < KINDS; k++)
		out_table_cell(table, "%s",
			       out_number(stats_median(ops[k], TRIALS), text,
					  sizeof(text)));
	out_table_cell(table, "%.2f", stats_median(ratio[1], TRIALS));
	out_table_cell(table, "%.2f", stats_median(ratio[2], TRIALS));
	out_table_cell(table, "%s", goal);
}

static void print_mix(void)
{
	static const struct out_column columns[] = {
		{"Threads", OUT_RIGHT},
		{"Mix", OUT_RIGHT},
		{"fair, ops/s", OUT_RIGHT},
		{"default", OUT_RIGHT},
		{"writers first", OUT_RIGHT},
		{"fair / default", OUT_RIGHT},
		{"fair / writers first", OUT_RIGHT},
		{"goal", OUT_RIGHT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));

	if (!table)
		die("out of memory");
	compare_mix(table, 4, 1, "0.80");
	compare_mix(table, 10, 1, "0.80");
	compare_mix(table, 4, 10, "1.00");
	compare_mix(table, 10, 10, "1.00");
	printf("Reads and writes: myrwlock, fair, beside the C library's two "
	       "kinds; %d trials, medians\n",
	       TRIALS);
	out_table_print(table, stdout);
	out_table_free(table);
}

/* ---- who starves ---- */

struct hunger {
	double writer_ms, reader_ms, reads, writes;
};

static struct hunger measure_hunger(const struct kind *kind)
{
	enum { READERS = 8 };
	static struct field field;
	struct worker workers[READERS + 1] = {0};
	struct hunger hunger = {0};

	field = (struct field){.kind = kind, .hold_ns = HOLD_NS};
	workers[READERS].is_writer = true;
	run_trial(&field, workers, READERS + 1, run_starvation, STARVATION_NS);
	for (int i = 0; i <= READERS; i++) {
		double ms = (double)workers[i].longest_ns / TICK_MS;
		double *longest = workers[i].is_writer ? &hunger.writer_ms
						       : &hunger.reader_ms;

		if (ms > *longest)
			*longest = ms;
		hunger.reads += (double)workers[i].reads;
		hunger.writes += (double)workers[i].writes;
	}
	return hunger;
}

/* The worst of the trials. */
static void add_hunger(struct out_table *table, const struct kind *kind,
		       const struct hunger *all)
{
	struct hunger worst = {0};
	char text[16];

	for (int i = 0; i < STARVATION_TRIALS; i++) {
		if (all[i].writer_ms > worst.writer_ms)
			worst.writer_ms = all[i].writer_ms;
		if (all[i].reader_ms > worst.reader_ms)
			worst.reader_ms = all[i].reader_ms;
		worst.reads += all[i].reads / STARVATION_TRIALS;
		worst.writes += all[i].writes / STARVATION_TRIALS;
	}
	out_table_row(table);
	out_table_cell(table, "%s", kind->title);
	out_table_cell(table, "%.1f ms", worst.writer_ms);
	out_table_cell(table, "%.1f ms", worst.reader_ms);
	out_table_cell(table, "%s",
		       out_number(worst.writes, text, sizeof(text)));
	out_table_cell(table, "%s",
		       out_number(worst.reads, text, sizeof(text)));
}

static void print_hunger(void)
{
	static const struct out_column columns[] = {
		{"8 readers asleep inside, 1 writer", OUT_LEFT},
		{"writer out for at most", OUT_RIGHT},
		{"a reader", OUT_RIGHT},
		{"writes", OUT_RIGHT},
		{"reads", OUT_RIGHT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	struct hunger all[KINDS][STARVATION_TRIALS];

	if (!table)
		die("out of memory");
	for (int i = 0; i < STARVATION_TRIALS; i++)
		for (int k = 0; k < KINDS; k++)
			all[k][i] = measure_hunger(&kinds[k]);
	for (int k = 0; k < KINDS; k++)
		add_hunger(table, &kinds[k], all[k]);
	printf("\nWho starves: %d trials of 2 s, the worst (goal: 10 ms, "
	       "50 ms)\n",
	       STARVATION_TRIALS);
	out_table_print(table, stdout);
	out_table_free(table);
}

int main(void)
{
	out_check_at_exit();
	print_mix();
	print_hunger();
	return EXIT_SUCCESS;
}
