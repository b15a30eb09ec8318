/* side.h - one of the two processes of a trial: what both have in common.
 *
 * A leads (lead.h), B serves (serve.h). The sequence of each message carries
 * flags that tell B what to do with it, so that B needs no plan of its own.
 */
#ifndef UNIXIPC_LIB_MEASURE_SIDE_H
#define UNIXIPC_LIB_MEASURE_SIDE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/measure/measure.h"
#include "lib/measure/mechanism.h"
#include "lib/stats.h"

#define SIDE_ECHO (UINT64_C(1) << 63)   /* send it back as it is */
#define SIDE_REPORT (UINT64_C(1) << 62) /* first publish your switches */
#define SIDE_END \
	(UINT64_C(1) << 61)          /* of a phase: publish what it cost
					 * you, answer with the number of
					 * messages that you verified, and
					 * count from 0 again */
#define SIDE_BYE (UINT64_C(1) << 60) /* with END: and exit */
#define SIDE_NUMBER (SIDE_BYE - 1)

/* What a process has used. */
struct side_usage {
	int64_t cpu_ns;
	uint64_t switches, involuntary;
};

/* What one phase moved, and what it cost both sides. */
struct side_phase {
	uint64_t messages;  /* or round trips */
	int64_t elapsed_ns; /* of a stream */
	struct side_usage usage;
	uint64_t disturbed; /* messages or round trips thrown away */
	bool is_disturbed;
};

/* Shared by the parent and both sides. */
struct side_board {
	/* Of the parent, before the sides start. */
	const struct mechanism *mechanism;
	void *channel;
	struct measure_options options; /* complete: warmup is a number */
	uint64_t round_trips;

	/* Of B, while it serves; A reads them after B's next message. */
	_Alignas(64) _Atomic uint64_t involuntary;
	struct side_usage served; /* in the last phase */

	/* Of A, for the parent, once A has ended well. */
	_Alignas(64) struct side_phase stream;
	struct side_phase trips;
	struct stats_histogram rtt;

	char doing[2][96]; /* where a side gave up; written by it alone */
};

struct side {
	struct side_board *board;
	enum mechanism_side which;
	const struct mechanism *mechanism;
	void *channel;
	size_t bytes;
	void *message;
	uint64_t next; /* number of the next message of this phase */
};

/* Make the calling process a side: its signals, its memory, its CPU, attach.
 * All functions below return 0, or -errno after noting the failure. */
int side_init(struct side *side, struct side_board *board,
	      enum mechanism_side which);
void side_fini(struct side *side);

/* Fill in and send a message / receive and verify one. */
int side_send(struct side *side, uint64_t sequence);
int side_receive(struct side *side, uint64_t *sequence);

/* Have the mechanism hand over what it holds back. */
int side_flush(struct side *side);

/* Note a failure; returns error. */
int side_fail(struct side *side, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Note that a message came which is not the next one. */
int side_fail_order(struct side *side, uint64_t sequence);

struct side_usage side_usage_now(void);
struct side_usage side_usage_since(struct side_usage mark);
void side_usage_add(struct side_usage *to, struct side_usage what);

#endif
