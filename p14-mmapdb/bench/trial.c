/* trial.c - the processes open the database, and meet before they start. They
 * count for themselves in memory that they share with their parent. */
#include "p14-mmapdb/bench/trial.h"

#include <errno.h>
#include <sys/mman.h>

#include "lib/cmd/die.h"
#include "lib/measure/rig.h"
#include "lib/rng.h"
#include "lib/tick.h"

enum {
	KEPT = 64,     /* of the last puts, to be looked at afterwards */
	WARM_STEP = 8, /* of neighbouring records one is read beforehand */
};

struct put {
	uint32_t index;
	uint64_t number;
};

struct side {
	uint64_t operations, puts;
	int64_t longest_ns;
	struct put kept[KEPT]; /* of put n at n % KEPT */
};

struct worker {
	const struct trial *trial;
	unsigned int number;
	struct side *side;
	void *db;
	struct rng rng;
};

/* ---- what a process does ----------------------------------------------------- */

static const char *key_of(const struct worker *w, size_t index)
{
	return w->trial->records->keys[index];
}

static void get(const struct worker *w, size_t index)
{
	size_t len = 0;
	const void *value = w->trial->peer->get(w->db, key_of(w, index), &len);

	if (!value || !records_is_whole(value, len, key_of(w, index)))
		die("%s: record %zu is %s", w->trial->peer->name, index,
		    value ? "not what was put" : "not there");
}

static void put_number(const struct worker *w, size_t index, uint64_t number)
{
	struct records_value value;

	records_fill(&value, key_of(w, index), number);
	w->trial->peer->put(w->db, key_of(w, index), &value);
}

static void put_once(struct worker *w)
{
	const struct peer *peer = w->trial->peer;
	size_t share = w->trial->records->n / w->trial->processes;
	size_t index =
		rng_below(&w->rng, share) * w->trial->processes + w->number;
	uint64_t number = w->trial->number << 32 | w->side->puts;
	int64_t start = tick_now(), took;

	peer->begin_write(w->db);
	put_number(w, index, number);
	peer->commit(w->db);
	took = tick_now() - start;
	if (took > w->side->longest_ns)
		w->side->longest_ns = took;
	w->side->kept[w->side->puts++ % KEPT] =
		(struct put){(uint32_t)index, number};
}

static void get_once(struct worker *w)
{
	get(w, rng_below(&w->rng, w->trial->records->n));
}

static void load(struct worker *w)
{
	const struct records *records = w->trial->records;
	bool is_sorted = w->trial->work == TRIAL_LOAD_SORTED;

	w->trial->peer->begin_write(w->db);
	for (size_t i = 0; i < records->n; i++)
		put_number(w, is_sorted ? i : records->shuffled[i], 0);
	w->trial->peer->commit(w->db);
	w->side->operations = records->n;
}

static void put_for_a_while(struct worker *w, int64_t deadline)
{
	do
		put_once(w);
	while (!tick_is_over(deadline));
	w->side->operations = w->side->puts;
}

/* Reading the clock costs what a tenth of a get does. */
static void get_for_a_while(struct worker *w, int64_t deadline)
{
	w->trial->peer->begin_read(w->db);
	do
		for (int i = 0; i < 64; i++, w->side->operations++)
			get_once(w);
	while (!tick_is_over(deadline));
	w->trial->peer->end_read(w->db);
}

static void mix_for_a_while(struct worker *w, int64_t deadline)
{
	const struct peer *peer = w->trial->peer;

	do {
		if (rng_below(&w->rng, 100) < 5) {
			put_once(w);
		} else {
			peer->begin_read(w->db);
			get_once(w);
			peer->end_read(w->db);
		}
		w->side->operations++;
	} while (!tick_is_over(deadline));
}

static void warm_up(struct worker *w)
{
	w->trial->peer->begin_read(w->db);
	for (size_t i = 0; i < w->trial->records->n; i += WARM_STEP)
		get(w, i);
	w->trial->peer->end_read(w->db);
}

static void work(struct worker *w)
{
	int64_t deadline = tick_after(w->trial->duration_ns);

	switch (w->trial->work) {
	case TRIAL_LOAD_RANDOM:
	case TRIAL_LOAD_SORTED:
		load(w);
		break;
	case TRIAL_PUT:
		put_for_a_while(w, deadline);
		break;
	case TRIAL_GET:
		get_for_a_while(w, deadline);
		break;
	case TRIAL_MIX:
		mix_for_a_while(w, deadline);
		break;
	}
}

static int worker_main(void *arg, struct rig_gate *gate)
{
	struct worker *w = arg;
	const struct trial *trial = w->trial;

	w->db = trial->peer->open(trial->dir, trial->is_durable);
	if (trial->work == TRIAL_GET || trial->work == TRIAL_MIX)
		warm_up(w);
	if (rig_meet(gate))
		return -ECANCELED;
	work(w);
	rig_finish(gate);
	trial->peer->close(w->db);
	return 0;
}

/* ---- what is there afterwards ------------------------------------------------- */

struct checker {
	const struct trial *trial;
	const struct side *sides;
};

/* The newest of each key that is among the last of a process. */
static bool is_newest(const struct side *side, uint64_t n)
{
	for (uint64_t later = n + 1; later < side->puts; later++)
		if (side->kept[later % KEPT].index ==
		    side->kept[n % KEPT].index)
			return false;
	return true;
}

static void check_side(const struct worker *w, const struct side *side)
{
	uint64_t first = side->puts > KEPT ? side->puts - KEPT : 0;

	for (uint64_t n = first; n < side->puts; n++) {
		const struct put *put = &side->kept[n % KEPT];
		const void *value;
		size_t len = 0;

		if (!is_newest(side, n))
			continue;
		get(w, put->index);
		value = w->trial->peer->get(w->db, key_of(w, put->index), &len);
		if (!value || records_number(value) != put->number)
			die("%s: the last put of record %u is lost",
			    w->trial->peer->name, put->index);
	}
}

/* A durable commit, too: it makes what a load has left behind durable. */
static int checker_main(void *arg, struct rig_gate *gate)
{
	const struct checker *c = arg;
	struct worker w = {.trial = c->trial};
	const struct peer *peer = w.trial->peer;

	(void)gate;
	w.db = peer->open(w.trial->dir, true);
	peer->begin_read(w.db);
	for (unsigned int i = 0; i < w.trial->processes; i++)
		check_side(&w, &c->sides[i]);
	get(&w, 0);
	get(&w, w.trial->records->n - 1);
	peer->end_read(w.db);
	if (w.trial->work <= TRIAL_LOAD_SORTED) {
		peer->begin_write(w.db);
		put_number(&w, 0, 0);
		peer->commit(w.db);
	}
	peer->close(w.db);
	return 0;
}

/* ---- the parent ----------------------------------------------------------------- */

/* A child that fails has said why, and exited. */
static int run(const struct rig_side *side, unsigned int sides,
	       int64_t timeout_ns, struct rig_result *result)
{
	const struct rig rig = {.side = side,
				.sides = sides,
				.deadline = tick_after(timeout_ns)};
	int error = rig_run(&rig, result);

	return error == -ECHILD ? -EIO : error;
}

static int run_workers(const struct trial *trial, struct side *sides,
		       struct rig_result *result)
{
	struct worker workers[TRIAL_PROCESSES];
	struct rig_side side[TRIAL_PROCESSES];

	for (unsigned int i = 0; i < trial->processes; i++) {
		workers[i] = (struct worker){
			.trial = trial, .number = i, .side = &sides[i]};
		rng_seed(&workers[i].rng, trial->number * 1000 + i);
		side[i] = (struct rig_side){.body = worker_main,
					    .arg = &workers[i]};
	}
	return run(side, trial->processes, trial->duration_ns + 240 * TICK_S,
		   result);
}

static int check_afterwards(const struct trial *trial, const struct side *sides)
{
	struct checker checker = {trial, sides};
	const struct rig_side side = {.body = checker_main, .arg = &checker};
	struct rig_result result;

	return run(&side, 1, 120 * TICK_S, &result);
}

static void sum_up(const struct side *sides, const struct rig_result *results,
		   unsigned int n, struct trial_result *result)
{
	double least = 0;

	*result = (struct trial_result){0};
	for (unsigned int i = 0; i < n; i++) {
		double rate =
			(double)sides[i].operations * 1e9 /
			(double)(results[i].ended_ns - results[i].begun_ns);
		double longest = (double)sides[i].longest_ns;

		result->rate += rate;
		if (!i || rate < least)
			least = rate;
		if (longest > result->longest_ns)
			result->longest_ns = longest;
	}
	result->least = least * n / result->rate;
}

int trial_run(const struct trial *trial, struct trial_result *result)
{
	size_t bytes = trial->processes * sizeof(struct side);
	struct rig_result results[TRIAL_PROCESSES];
	struct side *sides = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int error;

	if (sides == MAP_FAILED)
		return -errno;
	error = run_workers(trial, sides, results);
	if (!error)
		error = check_afterwards(trial, sides);
	if (!error)
		sum_up(sides, results, trial->processes, result);
	munmap(sides, bytes);
	return error;
}
