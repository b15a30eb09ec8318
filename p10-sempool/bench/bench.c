/* bench.c - what a pool costs beside a bare POSIX semaphore, which loses a
 * unit with each killed owner, and a System V one with SEM_UNDO, which does
 * not; and how long a dead owner's connection is away.
 *
 * Pairs of acquire and release without contention: the three take turns within
 * each trial, and figures are medians of the ratios trial by trial. After each
 * trial the semaphore has to be what it was. */
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/objname.h"
#include "lib/stats.h"
#include "lib/sysv.h"
#include "lib/tick.h"
#include "p10-sempool/sempool.h"

enum { TRIALS = 101, SLOTS = 5, DEATHS = 41 };

enum kind { OURS, BARE, UNDO, KINDS };

static const unsigned int pairs[KINDS] = {200000, 1000000, 20000};

struct ground {
	struct sempool pool;
	sem_t *bare;
	int set;
};

/* ---- pairs ---- */

static void pair_ours(struct ground *ground)
{
	struct sempool_lease lease;

	if (sempool_acquire(&ground->pool, &lease) ||
	    sempool_release(&ground->pool, &lease))
		die("the pool failed");
}

static void pair_bare(struct ground *ground)
{
	if (sem_wait(ground->bare) || sem_post(ground->bare))
		die("the POSIX semaphore failed");
}

static void pair_undo(struct ground *ground)
{
	struct sembuf take = {.sem_op = -1, .sem_flg = SEM_UNDO};
	struct sembuf give = {.sem_op = 1, .sem_flg = SEM_UNDO};

	if (semop(ground->set, &take, 1) || semop(ground->set, &give, 1))
		die("the System V semaphore failed");
}

/* Pairs a second. */
static double time_pairs(struct ground *ground, enum kind kind)
{
	unsigned int n = pairs[kind];
	int64_t start = tick_now();

	/* A loop for each, so that the call is direct. */
	for (unsigned int i = 0; kind == OURS && i < n; i++)
		pair_ours(ground);
	for (unsigned int i = 0; kind == BARE && i < n; i++)
		pair_bare(ground);
	for (unsigned int i = 0; kind == UNDO && i < n; i++)
		pair_undo(ground);
	return n * 1e9 / (double)(tick_now() - start);
}

static void check(const struct ground *ground)
{
	struct sempool_state state;
	int value = 0;

	sempool_look(&ground->pool, &state);
	if (sem_getvalue(ground->bare, &value) || value != SLOTS ||
	    semctl(ground->set, 0, GETVAL) != SLOTS || state.free != SLOTS ||
	    state.units != SLOTS)
		die("a semaphore is not what it was before");
}

static void compare(struct ground *ground)
{
	static double rate[KINDS][TRIALS], to_bare[TRIALS], to_undo[TRIALS];
	static const struct out_column columns[] = {
		{"Acquire and release", OUT_LEFT},
		{"pairs/s", OUT_RIGHT},
		{"ours is", OUT_RIGHT},
		{"goal", OUT_RIGHT},
	};
	struct out_table *table = out_table_new(columns, 4);
	char number[KINDS][16];

	if (!table)
		die("out of memory");
	for (int i = 0; i < TRIALS; i++) {
		for (int k = 0; k < KINDS; k++) {
			enum kind kind = (enum kind)((k + i) % KINDS);

			rate[kind][i] = time_pairs(ground, kind);
		}
		check(ground);
		to_bare[i] = rate[OURS][i] / rate[BARE][i];
		to_undo[i] = rate[OURS][i] / rate[UNDO][i];
	}
	for (int k = 0; k < KINDS; k++)
		out_number(stats_median(rate[k], TRIALS), number[k],
			   sizeof(number[k]));
	out_table_row(table);
	out_table_cell(table, "pool");
	out_table_cell(table, "%s", number[OURS]);
	out_table_row(table);
	out_table_cell(table, "bare sem_wait, sem_post");
	out_table_cell(table, "%s", number[BARE]);
	out_table_cell(table, "%.2f x", stats_median(to_bare, TRIALS));
	out_table_cell(table, "0.20 x");
	out_table_row(table);
	out_table_cell(table, "semop with SEM_UNDO");
	out_table_cell(table, "%s", number[UNDO]);
	out_table_cell(table, "%.1f x", stats_median(to_undo, TRIALS));
	out_table_cell(table, "10 x");
	out_table_print(table, stdout);
	out_table_free(table);
}

/* ---- deaths ---- */

/* Take the last connection, say so, and hold it until killed. */
static int hold(void *arg)
{
	struct ground *ground = arg;
	struct sempool_lease lease;

	if (sempool_acquire(&ground->pool, &lease))
		return 1;
	for (;;)
		pause();
}

/* Wait until all are taken, or the pool is as free as it was. */
static void wait_for_free(const struct ground *ground, unsigned int free)
{
	int64_t give_up = tick_after(10 * TICK_S);

	while (sempool_count_free(&ground->pool) != free) {
		if (tick_is_over(give_up))
			die("no end of waiting for %u free connections", free);
		tick_sleep_until(tick_after(TICK_MS));
	}
}

static int reclaim(void *arg)
{
	struct ground *ground = arg;

	for (;;) {
		tick_sleep_until(tick_after(SEMPOOL_RECLAIM_NS));
		if (sempool_reclaim(&ground->pool))
			return 1;
	}
}

/* From kill(2) to the moment when we, who wait, have the connection. */
static double time_death(struct ground *ground)
{
	struct sempool_lease lease;
	int64_t start;
	int status, error;
	pid_t owner;

	error = child_fork(hold, ground, &owner);
	if (error)
		die_errno(error, "cannot start an owner");
	wait_for_free(ground, 0);
	start = tick_now();
	kill(owner, SIGKILL);
	error = sempool_acquire_until(&ground->pool, &lease,
				      tick_after(10 * TICK_S));
	if (error)
		die_errno(error, "no connection after a death");
	start = tick_now() - start;
	sempool_release(&ground->pool, &lease);
	waitpid(owner, &status, 0);
	return (double)start;
}

static void time_deaths(struct ground *ground, bool has_manager)
{
	static double ns[DEATHS];
	double worst = 0;
	char median[16], max[16];
	pid_t manager = 0;
	int status;

	if (has_manager && child_fork(reclaim, ground, &manager))
		die("cannot start a manager");
	for (int i = 0; i < DEATHS; i++) {
		ns[i] = time_death(ground);
		worst = ns[i] > worst ? ns[i] : worst;
	}
	if (has_manager)
		child_end(manager, 0, &status);
	printf("Lent again after kill -9, %s manager: median %s, worst of %d "
	       "%s (goal: 100 ms)\n",
	       has_manager ? "with a" : "without a",
	       out_duration(stats_median(ns, DEATHS), median, sizeof(median)),
	       DEATHS, out_duration(worst, max, sizeof(max)));
}

/* ---- */

static void make(struct ground *ground, unsigned int slots)
{
	bool is_taken_over;
	char name[64];
	int error = objname_make(name, sizeof(name), "pool");

	if (!error)
		error = sempool_create(&ground->pool, name, slots,
				       &is_taken_over);
	if (error)
		die_errno(error, "cannot make a pool");
	objname_made(OBJNAME_SHM, name);
}

static void unmake(struct ground *ground)
{
	sempool_remove(&ground->pool);
	objname_release(OBJNAME_SHM, ground->pool.name);
	sempool_close(&ground->pool);
}

int main(void)
{
	static const unsigned short value = SLOTS;
	struct ground ground;

	out_check_at_exit();
	ground.bare = mmap(NULL, sizeof(sem_t), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ground.set = sysv_sem_create(IPC_PRIVATE, 1, &value, 0600);
	if (ground.bare == MAP_FAILED || sem_init(ground.bare, 1, SLOTS) ||
	    ground.set < 0)
		die("cannot make the other semaphores");
	objname_claim_id(OBJNAME_SYSV_SEM, ground.set);
	make(&ground, SLOTS);
	printf("A pool of %d connections, one process; %d trials, medians\n",
	       SLOTS, TRIALS);
	compare(&ground);
	unmake(&ground);
	semctl(ground.set, 0, IPC_RMID);
	objname_release_id(OBJNAME_SYSV_SEM, ground.set);
	munmap(ground.bare, sizeof(sem_t));
	make(&ground, 1);
	time_deaths(&ground, true);
	time_deaths(&ground, false);
	unmake(&ground);
	return EXIT_SUCCESS;
}
