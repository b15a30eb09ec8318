#include "lib/measure/measure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/measure/line.h"
#include "lib/measure/pair.h"
#include "lib/measure/side.h"
#include "lib/measure/trial.h"
#include "lib/stats.h"
#include "lib/tick.h"

/* A trial keeps to max_ns by itself; beyond this it is taken to hang. */
#define HANG_NS(max_ns) (2 * (max_ns) + 5 * TICK_S)

static int give_up(struct measure_result *result, int error, const char *format,
		   ...) __attribute__((format(printf, 3, 4)));

/* The row has no figures, and why; 0, as the run goes on. */
static int give_up(struct measure_result *result, int error, const char *format,
		   ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(result->why, sizeof(result->why), format, args);
	va_end(args);
	result->error = error;
	return 0;
}

static void fill_in_trial(struct measure_trial *trial,
			  const struct side_board *board)
{
	const struct side_phase *stream = &board->stream;
	const struct side_phase *trips = &board->trips;
	const double messages = (double)stream->messages;
	const double rounds = (double)trips->messages;

	*trial = (struct measure_trial){
		.messages = stream->messages,
		.round_trips = board->rtt.count,
		.messages_per_s = messages * 1e9 / (double)stream->elapsed_ns,
		.rtt_mean = stats_mean(&board->rtt),
		.rtt_p50 = (double)stats_percentile(&board->rtt, 50),
		.rtt_p99 = (double)stats_percentile(&board->rtt, 99),
		.rtt_p999 = (double)stats_percentile(&board->rtt, 99.9),
		.rtt_max = (double)board->rtt.max,
		.cpu_ns = (double)stream->usage.cpu_ns / messages,
		.switches = (double)stream->usage.switches / messages,
		.rtt_cpu_ns = (double)trips->usage.cpu_ns / rounds,
		.rtt_switches = (double)trips->usage.switches / rounds,
		.disturbed = stream->disturbed + trips->disturbed,
		.is_disturbed = stream->is_disturbed || trips->is_disturbed,
	};
	trial->bytes_per_s =
		trial->messages_per_s * (double)board->options.message_bytes;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Run both sides on a board that is ready. */
static int run_trial(struct measure_result *result, struct side_board *board)
{
	const struct measure_options *o = &board->options;
	const int64_t hang =
		o->max_ns ? tick_after(HANG_NS(o->max_ns)) : TICK_NEVER;
	int reason, r;

	r = pair_run(board, earlier(hang, o->deadline), &reason, result->why,
		     sizeof(result->why));
	if (r == -ETIMEDOUT && !tick_is_over(o->deadline))
		return give_up(result, r, "no end after %.1f s, stopped",
			       (double)HANG_NS(o->max_ns) / 1e9);
	result->error = reason;
	if (r == 0 && reason == 0)
		fill_in_trial(&result->trial[result->trials++], board);
	return r;
}

static uint64_t round_trips_of(uint64_t iterations)
{
	uint64_t n = iterations / 10;

	if (n < 1000)
		n = 1000;
	return n < iterations ? n : iterations;
}

int measure_round(struct measure_result *result)
{
	const struct mechanism *mechanism = result->mechanism;
	const struct measure_options *o = &result->options;
	struct side_board *board;
	void *channel;
	int r;

	if (result->error || result->trials == o->trials)
		return 0;
	if (pair_is_stop_asked(o))
		return -EINTR;
	if (tick_is_over(o->deadline))
		return -ETIMEDOUT;
	r = mechanism->create(&channel, o->message_bytes);
	if (r < 0)
		return give_up(result, r, "cannot be set up: %s", strerror(-r));
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED) {
		r = -errno;
	} else {
		board->mechanism = mechanism;
		board->channel = channel;
		board->options = *o;
		board->round_trips = round_trips_of(o->iterations);
		r = run_trial(result, board);
		munmap(board, sizeof(*board));
	}
	mechanism->destroy(channel);
	return r;
}

int measure_begin(const struct mechanism *mechanism,
		  const struct measure_options *options,
		  struct measure_result *result)
{
	struct measure_options *o = &result->options;
	int r;

	*result = (struct measure_result){.mechanism = mechanism,
					  .options = *options};
	if (o->message_bytes < MEASURE_MESSAGE_MIN ||
	    o->message_bytes > MEASURE_MESSAGE_MAX || o->iterations == 0 ||
	    o->trials < 1 || o->trials > MEASURE_TRIALS_MAX)
		return -EINVAL;
	if (o->warmup == 0)
		o->warmup =
			o->iterations / 10 < 10000 ? o->iterations / 10 : 10000;
	result->trial = calloc((size_t)o->trials, sizeof(*result->trial));
	if (!result->trial)
		return -ENOMEM;
	if (!mechanism->check)
		return 0;
	r = mechanism->check(o->message_bytes, result->why,
			     sizeof(result->why));
	if (r < 0)
		result->error = r;
	return 0;
}

void measure_end(struct measure_result *result)
{
	double throughput[MEASURE_TRIALS_MAX], rtt[MEASURE_TRIALS_MAX];
	size_t n;

	if (result->error)
		result->trials = 0; /* no figure for a run that failed */
	n = (size_t)result->trials;
	for (size_t i = 0; i < n; i++) {
		throughput[i] = result->trial[i].bytes_per_s;
		rtt[i] = result->trial[i].rtt_p50;
	}
	trial_median(result->trial, result->trials, &result->median);
	result->spread_throughput = stats_spread(throughput, n);
	result->spread_rtt = stats_spread(rtt, n);
	result->is_unstable = result->spread_throughput > MEASURE_UNSTABLE ||
			      result->spread_rtt > MEASURE_UNSTABLE;
}

int measure_run(const struct mechanism *mechanism,
		const struct measure_options *options,
		struct measure_result *result)
{
	int r = measure_begin(mechanism, options, result);

	for (int i = 0; r == 0 && i < options->trials; i++)
		r = measure_round(result);
	if (r == 0)
		measure_end(result);
	return r;
}

void measure_free(struct measure_result *result)
{
	free(result->trial);
	*result = (struct measure_result){0};
}

int measure_line_rtt(const struct measure_options *options, double *ns)
{
	return line_round_trip(options->cpus, ns);
}
