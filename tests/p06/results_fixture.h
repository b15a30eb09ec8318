/* results_fixture.h - results made up for tests, without measuring. */
#ifndef UNIXIPC_TESTS_P06_RESULTS_FIXTURE_H
#define UNIXIPC_TESTS_P06_RESULTS_FIXTURE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/measure/results.h"
#include "p06-bench/table.h"

/* Add a row of that mechanism with three trials: the throughput's median is
 * bytes_per_s, and both its spread and that of the p50 are as given. */
static inline void add_figures(struct results *results,
			       const struct mechanism *mechanism,
			       size_t message_bytes, double bytes_per_s,
			       double spread)
{
	struct measure_result f = {.mechanism = mechanism,
				   .options = results->options,
				   .trials = 3};
	const double factors[3] = {1 - spread / 2, 1, 1 + spread / 2};

	f.options.message_bytes = message_bytes;
	f.trial = calloc(3, sizeof(*f.trial));
	for (int i = 0; i < 3; i++) {
		f.trial[i] = (struct measure_trial){
			.messages = 100000,
			.round_trips = 10000,
			.bytes_per_s = bytes_per_s * factors[i],
			.messages_per_s = bytes_per_s * factors[i] /
					  (double)message_bytes,
			.rtt_mean = 60000 * factors[i],
			.rtt_p50 = 50000 * factors[i],
			.rtt_p99 = 80000,
			.rtt_p999 = 123456.5,
			.rtt_max = 1e6,
			.cpu_ns = 1500,
			.switches = 0.25,
			.rtt_cpu_ns = 40000,
			.rtt_switches = 2,
			.disturbed = 7,
		};
	}
	measure_end(&f);
	results_add(results, &f);
}

/* Add a row that could not be measured. */
static inline void add_error(struct results *results,
			     const struct mechanism *mechanism, int error,
			     const char *why)
{
	struct measure_result f = {.mechanism = mechanism,
				   .options = results->options,
				   .error = error};

	strncpy(f.why, why, sizeof(f.why) - 1);
	measure_end(&f);
	results_add(results, &f);
}

/* Two rows with figures and one without. */
static inline void make_results(struct results *results)
{
	struct measure_options o = MEASURE_OPTIONS_INIT;

	o.warmup = 10000;
	results_init(results, &o);
	results->line_rtt_ns = 125.5;
	results->line_rtt_min_ns = 100;
	results->line_rtt_max_ns = 130;
	add_figures(results, &mech_pipe, 1024, 1.2e9, 0.02);
	add_figures(results, &mech_shm_sem, 1024, 2.8e9, 0.2);
	add_error(results, &mech_posix_mq, -EMSGSIZE,
		  "message limit 512 bytes; raise: \"sysctl\", please");
}

#endif
