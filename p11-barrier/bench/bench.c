/* bench.c - rounds a second beside the C library's process-shared barrier,
 * with 2, 5 and 16 processes. Trials alternate, and the figure is the median
 * of the ratios trial by trial. Every participant counts its rounds in memory that
 * all see, and checks after each that nobody is behind it: the same work on
 * both sides. */
#include <errno.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/measure/rig.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p11-barrier/sysv_barrier.h"

enum { TRIALS = 61, PARTICIPANTS_MAX = 16, WARM_UP = 100 };

/* Not IPC_PRIVATE: what a killed run leaves is found by the next. */
enum { KEY = 0x110be9c4 };

struct slot {
	alignas(64) atomic_uint round;
};

/* Mapped, and inherited by the participants. */
struct ground {
	pthread_barrier_t libc;
	int id;
	unsigned int participants, rounds;
	struct slot slot[PARTICIPANTS_MAX];
};

struct participant {
	struct ground *ground;
	unsigned int index;
	int (*meet)(struct participant *participant);
	struct sysv_barrier barrier;
};

static int meet_ours(struct participant *participant)
{
	return sysv_barrier_wait(&participant->barrier);
}

static int meet_libc(struct participant *participant)
{
	return pthread_barrier_wait(&participant->ground->libc);
}

/* One round: our step, the barrier, and a look at the steps of all. */
static bool step(struct participant *participant, unsigned int round)
{
	struct ground *ground = participant->ground;
	int rc;

	/* Relaxed: to order these is what the barrier is for. */
	atomic_store_explicit(&ground->slot[participant->index].round, round,
			      memory_order_relaxed);
	rc = participant->meet(participant);
	if (rc != 0 && rc != PTHREAD_BARRIER_SERIAL_THREAD)
		return false;
	for (unsigned int i = 0; i < ground->participants; i++)
		if (atomic_load_explicit(&ground->slot[i].round,
					 memory_order_relaxed) < round)
			return false;
	return true;
}

static int run_participant(void *arg, struct rig_gate *gate)
{
	struct participant *participant = arg;
	struct ground *ground = participant->ground;
	unsigned int round = 0;

	if (participant->meet == meet_ours &&
	    sysv_barrier_join(&participant->barrier, ground->id))
		return -EIO;
	while (round < WARM_UP)
		if (!step(participant, ++round))
			return -EBADMSG;
	if (rig_meet(gate))
		return -ECANCELED;
	while (round < WARM_UP + ground->rounds)
		if (!step(participant, ++round))
			return -EBADMSG;
	rig_finish(gate);
	return participant->meet == meet_ours
		       ? sysv_barrier_close(&participant->barrier)
		       : 0;
}

/* Rounds a second of one kind. */
static double time_rounds(struct ground *ground,
			  int (*meet)(struct participant *))
{
	struct participant participant[PARTICIPANTS_MAX];
	struct rig_side side[PARTICIPANTS_MAX];
	struct rig_result result[PARTICIPANTS_MAX];
	const struct rig rig = {.side = side,
				.sides = ground->participants,
				.deadline = tick_after(60 * TICK_S)};
	int error;

	for (unsigned int i = 0; i < ground->participants; i++) {
		atomic_store(&ground->slot[i].round, 0);
		participant[i] = (struct participant){
			.ground = ground, .index = i, .meet = meet};
		side[i] = (struct rig_side){.body = run_participant,
					    .arg = &participant[i]};
	}
	error = rig_run(&rig, result);
	if (error == -EBADMSG)
		die("a participant saw a wrong round");
	if (error)
		die_errno(error, "a participant did not end well");
	return ground->rounds * 1e9 / (double)rig_elapsed_ns(&rig, result);
}

static void prepare(struct ground *ground)
{
	pthread_barrierattr_t attr;

	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (pthread_barrier_init(&ground->libc, &attr, ground->participants))
		die("cannot make a pthread barrier");
	pthread_barrierattr_destroy(&attr);
	ground->id = sysv_barrier_create(KEY, ground->participants, 0600);
	if (ground->id < 0)
		die_errno(ground->id, "cannot make a barrier");
}

static void compare(struct out_table *table, struct ground *ground,
		    unsigned int participants, unsigned int rounds,
		    const char *goal)
{
	double ours[TRIALS], libc[TRIALS], ratio[TRIALS];

	ground->participants = participants;
	ground->rounds = rounds;
	prepare(ground);
	for (int i = 0; i < TRIALS; i++) {
		/* Who goes first alternates too. */
		if (i % 2)
			ours[i] = time_rounds(ground, meet_ours);
		libc[i] = time_rounds(ground, meet_libc);
		if (i % 2 == 0)
			ours[i] = time_rounds(ground, meet_ours);
		ratio[i] = ours[i] / libc[i];
	}
	sysv_barrier_destroy(ground->id);
	pthread_barrier_destroy(&ground->libc);
	out_table_row(table);
	out_table_cell(table, "%u", participants);
	out_table_cell(table, "%.0f", stats_median(ours, TRIALS));
	out_table_cell(table, "%.0f", stats_median(libc, TRIALS));
	out_table_cell(table, "%.2f", stats_median(ratio, TRIALS));
	out_table_cell(table, "%s", goal);
}

int main(void)
{
	static const struct out_column columns[] = {
		{"Processes", OUT_RIGHT},         {"ours, rounds/s", OUT_RIGHT},
		{"pthread, rounds/s", OUT_RIGHT}, {"ours / pthread", OUT_RIGHT},
		{"goal, at least", OUT_RIGHT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	struct ground *ground =
		mmap(NULL, sizeof(*ground), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	out_check_at_exit();
	if (!table || ground == MAP_FAILED)
		die("out of memory");
	printf("Rounds of a barrier: %d trials, medians\n", TRIALS);
	compare(table, ground, 2, 3000, "0.90");
	compare(table, ground, 5, 1500, "0.90");
	compare(table, ground, 16, 500, "0.50");
	out_table_print(table, stdout);
	out_table_free(table);
	munmap(ground, sizeof(*ground));
	return EXIT_SUCCESS;
}
