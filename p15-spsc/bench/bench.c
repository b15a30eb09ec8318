/* bench.c - the queue beside those of others and of the textbook: threads,
 * both pinned, interleaved round by round. Every item is checked on arrival. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/measure/copy.h"
#include "lib/measure/line.h"
#include "lib/measure/machine.h"
#include "lib/stats.h"
#include "lib/tick.h"
#include "p15-spsc/bench/contenders.h"
#include "p15-spsc/bench/peers.h"
#include "p15-spsc/bench/harness.h"
#include "p15-spsc/bench/without.h"

enum { ROUNDS = 9, QUEUES = 11, TRIPS = 1000 };

#define PROBE_ITEMS UINT64_C(100000)
#define RUN_NS 10e6

struct series {
	double rate[ROUNDS], ratio[ROUNDS]; /* of ours to this one's */
};

/* Millions of items a second; 0 when it cannot do that. */
static double measure(struct harness *harness,
		      const struct contender *contender)
{
	uint64_t failed = 0, items = PROBE_ITEMS;
	int64_t ns = 1;

	for (int pass = 0; pass < 2; pass++) {
		int error;

		harness->plan.items = items;
		harness->deadline = tick_after(30 * TICK_S);
		error = harness_stream(harness, contender, &ns, &failed);
		if (error == -ENOTSUP)
			return 0;
		if (error)
			die_errno(error, "%s", contender->name);
		if (pass == 0)
			items = (uint64_t)(RUN_NS * (double)items / (double)ns);
		if (items < PROBE_ITEMS)
			items = PROBE_ITEMS;
	}
	return (double)harness->plan.items * 1e3 / (double)ns;
}

/* The median round trip in ns; 0 when it cannot do that. */
static double measure_trip(struct harness *harness,
			   const struct contender *contender)
{
	static struct stats_histogram trips;
	uint64_t failed = 0;
	int error;

	trips = (struct stats_histogram){0};
	harness->plan.items = TRIPS;
	harness->deadline = tick_after(30 * TICK_S);
	error = harness_round_trips(harness, contender, &trips, &failed);
	if (error == -ENOTSUP)
		return 0;
	if (error)
		die_errno(error, "%s", contender->name);
	return (double)stats_percentile(&trips, 50);
}

static void print(const struct contender *const all[QUEUES],
		  const struct series *series, const char *unit)
{
	const struct out_column columns[] = {
		{"Queue", OUT_LEFT},
		{unit, OUT_RIGHT},
		{"ours is", OUT_RIGHT},
	};
	struct out_table *table = out_table_new(columns, 3);

	if (!table)
		die_errno(ENOMEM, "cannot print");
	for (int i = 0; i < QUEUES; i++) {
		if (!all[i] || series[i].rate[0] <= 0)
			continue;
		out_table_row(table);
		out_table_cell(table, "%s", all[i]->name);
		out_table_cell(table, "%.1f",
			       stats_median(series[i].rate, ROUNDS));
		out_table_cell(table, "%.2fx",
			       stats_median(series[i].ratio, ROUNDS));
	}
	out_table_print(table, stdout);
	out_table_free(table);
	putchar('\n');
}

static void compare(const int cpus[2], const struct contender_plan *plan,
		    const struct contender *const all[QUEUES],
		    bool is_round_trip)
{
	static struct series series[QUEUES];
	struct harness harness = {
		.plan = *plan, .cpus = {cpus[0], cpus[1]}, .stop_fd = -1};
	double line[ROUNDS] = {0};

	for (int round = 0; round < ROUNDS; round++) {
		line_round_trip(cpus, &line[round]);
		for (int i = 0; i < QUEUES; i++) {
			struct series *s = &series[i];
			double found = !all[i] ? 0
				       : is_round_trip
					       ? measure_trip(&harness, all[i])
					       : measure(&harness, all[i]);

			s->rate[round] = found;
			s->ratio[round] =
				found > 0 ? series[0].rate[round] / found : 0;
		}
	}
	printf("Items of %zu B, capacity %zu, batches of %zu%s; line round "
	       "trip %.0f ns\n",
	       plan->item_bytes, plan->capacity, plan->batch,
	       is_round_trip ? ", there and back" : "",
	       stats_median(line, ROUNDS));
	print(all, series, is_round_trip ? "ns" : "M items/s");
}

int main(void)
{
	const struct contender *const all[QUEUES] = {&contender_spsc,
						     &contender_spsc_waiting,
						     &contender_spsc_deferred,
						     &peer_atomic_queue,
						     &peer_boost,
						     &peer_ck,
						     &peer_rwq,
						     &peer_dpdk,
						     &peer_rwq_waiting,
						     &contender_mutex,
						     &contender_sem};
	const struct contender *const techniques[QUEUES] = {
		&contender_spsc,       &without_padding,
		&without_cache,        &without_claims,
		&without_lag,          &without_lazy_room,
		&without_remote_fence, &contender_spsc_deferred};
	static const struct contender_plan plans[] = {
		{.item_bytes = 8, .capacity = 65536, .batch = 1},
		{.item_bytes = 8, .capacity = 1024, .batch = 1},
		{.item_bytes = 64, .capacity = 65536, .batch = 1},
		{.item_bytes = 8, .capacity = 65536, .batch = 64},
		{.item_bytes = 8, .capacity = 65536, .batch = 256},
	};
	int cpus[2];

	out_check_at_exit();
	if (machine_cpus(cpus, 2) < 2)
		die("two CPUs are needed");
	printf("memcpy(3) on one CPU, GB/s: 64 bytes %.0f, 512 KB %.0f, 4 MB "
	       "%.0f\n\n",
	       copy_bytes_per_s(64) / 1e9, copy_bytes_per_s(512 << 10) / 1e9,
	       copy_bytes_per_s(4 << 20) / 1e9);
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++)
		compare(cpus, &plans[i], all, false);
	compare(cpus, &plans[1], all, true);
	puts("One technique less:");
	compare(cpus, &plans[0], techniques, false);
	return EXIT_SUCCESS;
}
