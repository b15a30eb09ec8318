#include "lib/measure/lead.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/measure/disturb.h"
#include "lib/measure/side.h"
#include "lib/tick.h"

/* A block of samples ends after so many or so long, whichever is first: short
 * enough to lose little to a disturbance, long enough that looking for one
 * costs nothing. */
#define BLOCK_MAX 4096
#define BLOCK_NS (5 * TICK_MS)

#define TRIES 3

/* Below this share of clean samples the disturbed ones are used as well. */
#define CLEAN_MIN 0.1

/* A stream may suffer a tick of steal and a switch in 10 ms (kernel threads
 * do no more than that to an idle machine): each costs a small part of it,
 * unlike of a block. */
#define STREAM_STEAL 1
#define STREAM_SWITCHES(ns) (3 + (uint64_t)(ns) / (uint64_t)(10 * TICK_MS))

/* What only A needs. */
struct leader {
	struct side side;
	struct disturb disturb;
	bool counts_switches;
	struct side_usage mark; /* where the clock of our usage was started */
	struct side_usage used; /* in this phase, up to when it was stopped */
	int64_t start;          /* of the phase */
	uint64_t sample_ns[BLOCK_MAX];
	struct stats_histogram disturbed;
};

static void start_usage(struct leader *a)
{
	a->mark = side_usage_now();
}

static void stop_usage(struct leader *a)
{
	side_usage_add(&a->used, side_usage_since(a->mark));
}

static void begin_phase(struct leader *a)
{
	a->side.next = 0;
	a->used = (struct side_usage){0};
	start_usage(a);
	a->start = tick_now();
}

/* Tell B that the phase is over; it must have seen all of it. */
static int end_phase(struct leader *a, uint64_t flags)
{
	struct side *s = &a->side;
	uint64_t sent = s->next, answer;
	int r = side_send(s, sent | SIDE_END | flags);

	if (r == 0)
		r = side_flush(s);
	if (r == 0)
		r = side_receive(s, &answer);
	if (r == 0 && answer != (sent | SIDE_END))
		r = side_fail_order(s, answer);
	return r;
}

/* What the phase cost both. B's part came with its answer. */
static struct side_usage phase_usage(const struct leader *a)
{
	struct side_usage usage = a->side.board->served;

	side_usage_add(&usage, a->used);
	return usage;
}

/* The involuntary switches of both so far, as far as they are a sign of
 * anything. */
static uint64_t switches_seen(const struct leader *a)
{
	if (!a->counts_switches)
		return 0;
	return side_usage_now().involuntary +
	       atomic_load_explicit(&a->side.board->involuntary,
				    memory_order_acquire);
}

/* Send n messages, fewer when the time is up, which is looked at once in 64 KB
 * so that a short message does not pay for it. */
static int send_stream(struct leader *a, uint64_t n, int64_t limit)
{
	struct side *s = &a->side;
	uint64_t look = 65536 / s->bytes;
	uint64_t until_look = 0;

	while (s->next < n) {
		if (until_look-- == 0) {
			if (s->next > 0 && tick_is_over(limit))
				break;
			until_look = look;
		}
		int r = side_send(s, s->next);
		if (r < 0)
			return r;
		s->next++;
	}
	return end_phase(a, 0);
}

static int stream_once(struct leader *a, uint64_t n, int64_t limit)
{
	struct side_phase *phase = &a->side.board->stream;
	int r;

	disturb_mark(&a->disturb, switches_seen(a));
	begin_phase(a);
	r = send_stream(a, n, limit);
	if (r < 0)
		return r;
	phase->elapsed_ns = tick_now() - a->start;
	stop_usage(a);
	phase->usage = phase_usage(a);
	phase->messages = a->side.next;

	struct disturb_change change =
		disturb_since(&a->disturb, switches_seen(a));
	phase->is_disturbed =
		change.steal > STREAM_STEAL ||
		change.switches > STREAM_SWITCHES(phase->elapsed_ns) ||
		change.is_crowded;
	return 0;
}

/* The measured stream; a disturbed one gets a second chance. */
static int stream(struct leader *a)
{
	const struct side_board *board = a->side.board;
	struct side_phase *phase = &a->side.board->stream;
	const struct measure_options *o = &board->options;
	int64_t limit_ns = o->max_ns ? o->max_ns / 4 : -1;
	int r = stream_once(a, o->iterations, tick_after(limit_ns));

	if (r < 0 || !phase->is_disturbed)
		return r;
	uint64_t lost = phase->messages;
	r = stream_once(a, o->iterations, tick_after(limit_ns));
	phase->disturbed = lost;
	return r;
}

/* One round trip, which began at *then. */
static int round_trip(struct leader *a, uint64_t flags, int64_t *then,
		      uint64_t *ns)
{
	struct side *s = &a->side;
	uint64_t sent = s->next | SIDE_ECHO | flags, got;
	int r = side_send(s, sent);

	if (r == 0 && s->mechanism->flush)
		r = side_flush(s);
	if (r == 0)
		r = side_receive(s, &got);
	if (r == 0 && got != sent)
		r = side_fail_order(s, got);
	if (r < 0)
		return r;
	s->next++;

	int64_t now = tick_now();
	*ns = (uint64_t)(now - *then);
	*then = now;
	return 0;
}

/* Up to n round trips into sample_ns; their number, or -errno. The last one
 * has B report, so the block ends with the sample after the time is up. */
static int run_block(struct leader *a, uint64_t n, int64_t limit)
{
	const int64_t start = tick_now();
	int64_t then = start;
	uint64_t i = 0;
	bool is_last = false;

	if (n > BLOCK_MAX)
		n = BLOCK_MAX;
	while (!is_last) {
		is_last = i + 1 == n || then - start > BLOCK_NS || then > limit;
		int r = round_trip(a, is_last ? SIDE_REPORT : 0, &then,
				   &a->sample_ns[i++]);
		if (r < 0)
			return r;
	}
	return (int)i;
}

/* Run blocks until wanted round trips were undisturbed, TRIES times as many
 * were tried, or the time is up. */
static int run_blocks(struct leader *a, uint64_t wanted, int64_t limit)
{
	struct side_board *board = a->side.board;
	uint64_t tried = 0, disturbed = 0;

	while (board->rtt.count < wanted && tried < TRIES * wanted) {
		const uint64_t missing = wanted - board->rtt.count;
		const uint64_t left = TRIES * wanted - tried;

		start_usage(a);
		int n = run_block(a, missing < left ? missing : left, limit);
		if (n < 0)
			return n;
		stop_usage(a);

		struct disturb_change change =
			disturb_since(&a->disturb, switches_seen(a));
		bool is_clean = change.steal == 0 && change.switches == 0 &&
				!change.is_crowded;
		for (int i = 0; i < n; i++)
			stats_record(is_clean ? &board->rtt : &a->disturbed,
				     a->sample_ns[i]);
		tried += (uint64_t)n;
		if (!is_clean)
			disturbed += (uint64_t)n;
		if (tick_is_over(limit))
			break;
	}
	board->trips.disturbed = disturbed;
	return 0;
}

static int measure_trips(struct leader *a)
{
	struct side_board *board = a->side.board;
	struct side_phase *phase = &board->trips;
	const struct measure_options *o = &board->options;
	int64_t limit = tick_after(o->max_ns ? o->max_ns / 2 : -1);
	int r;

	disturb_mark(&a->disturb, switches_seen(a));
	begin_phase(a);
	r = run_blocks(a, board->round_trips, limit);
	if (r == 0)
		r = end_phase(a, SIDE_BYE);
	if (r < 0)
		return r;
	phase->messages = a->side.next;
	phase->usage = phase_usage(a);
	if ((double)board->rtt.count < CLEAN_MIN * (double)a->side.next) {
		stats_merge(&board->rtt, &a->disturbed);
		phase->disturbed = 0;
		phase->is_disturbed = true;
	}
	return 0;
}

static int warm_up_trips(struct leader *a, uint64_t n, int64_t limit)
{
	int64_t then = tick_now();
	uint64_t ns;

	begin_phase(a);
	while (a->side.next < n && then <= limit) {
		int r = round_trip(a, 0, &then, &ns);
		if (r < 0)
			return r;
	}
	return end_phase(a, 0);
}

/* Of the time for a trial a quarter is for the stream, a quarter for its
 * second chance or nothing, half for the round trips; warming up may take a
 * tenth of it each time. */
static int lead(struct leader *a)
{
	const struct side_board *board = a->side.board;
	const struct measure_options *o = &board->options;
	int64_t warm_ns = o->max_ns ? o->max_ns / 10 : -1;
	int r;

	begin_phase(a);
	r = send_stream(a, o->warmup, tick_after(warm_ns));
	if (r == 0)
		r = stream(a);
	if (r == 0)
		r = warm_up_trips(a, o->warmup < 1000 ? o->warmup : 1000,
				  tick_after(warm_ns));
	if (r == 0)
		r = measure_trips(a);
	return r;
}

int lead_run(void *board, struct rig_gate *gate)
{
	struct leader *a = calloc(1, sizeof(*a));
	int r;

	(void)gate;
	if (!a)
		return -ENOMEM;
	r = side_init(&a->side, board, MECHANISM_A);
	if (r == 0) {
		const struct measure_options *o = &a->side.board->options;
		const int one[2] = {o->cpus[0], o->cpus[0]};

		const int *cpus = o->placement == MEASURE_TWO_CPUS  ? o->cpus
				  : o->placement == MEASURE_ONE_CPU ? one
								    : NULL;

		disturb_open(&a->disturb, cpus,
			     a->side.mechanism->spins ? 2 : 1);
		a->counts_switches = o->placement != MEASURE_ONE_CPU;
		r = lead(a);
		disturb_close(&a->disturb);
	}
	side_fini(&a->side);
	free(a);
	return r;
}
