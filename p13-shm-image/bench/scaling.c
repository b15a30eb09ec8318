#include "p13-shm-image/bench/scaling.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>

#include "lib/measure/machine.h"
#include "lib/measure/rig.h"
#include "lib/tick.h"
#include "p13-shm-image/image/gauss.h"

enum {
	TWO = 2,
	SUMS = 5000, /* some 5 ms */
	PAIRS = 14,
	SAMPLES = 4 * GAUSS_STEP, /* of a row: 14 rows of pairs are 28 KB */
};

static int cpus[TWO];

static int sum_for_a_while(void *arg, struct rig_gate *gate)
{
	static int16_t pairs[PAIRS * 2 * SAMPLES], sums[SAMPLES];
	static struct gauss gauss;
	const struct gauss_rows rows = {
		.first = pairs,
		.stride = 2 * SAMPLES,
		.weight = gauss.even,
		.pairs = PAIRS,
	};
	gauss_sum *sum = gauss_sum_best();
	int error;

	(void)arg;
	gauss_init(&gauss, 4);
	sum(&rows, sums, SAMPLES); /* the pages are there */
	error = rig_meet(gate);
	for (int i = 0; i < SUMS && !error; i++)
		sum(&rows, sums, SAMPLES);
	return error;
}

int scaling_open(void)
{
	return machine_cpus(cpus, TWO) < TWO ? -ENOTSUP : 0;
}

/* How long the slower of the first n took, all at once; 0 when one failed. */
static double slowest_of(size_t n)
{
	const struct rig_side side[TWO] = {{.body = sum_for_a_while},
					   {.body = sum_for_a_while}};
	const struct rig rig = {.side = side,
				.sides = n,
				.cpus = cpus,
				.deadline = tick_after(10 * TICK_S)};
	struct rig_result result[TWO];
	double most = 0;

	if (rig_run(&rig, result))
		return 0;
	for (size_t i = 0; i < n; i++)
		most = fmax(most,
			    (double)(result[i].ended_ns - result[i].begun_ns));
	return most;
}

double scaling_of_two(void)
{
	double alone = slowest_of(1), both = slowest_of(TWO);

	return both > 0 ? TWO * alone / both : 0;
}
