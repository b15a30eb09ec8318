/* mechanism.h - what a mechanism must offer to be measured.
 *
 * A channel carries messages of one size between exactly two processes, in
 * both directions: side A sends on one line and receives on the other, side B
 * the reverse. A mechanism is one file with one struct mechanism, and one
 * line in a table (table.c here, suite/registry.c for the chapters').
 * Measuring (measure.h) knows nothing else of any of them.
 *
 * Life of a channel:
 *
 *	parent: create() -> fork A and B -> ... both ended -> destroy()
 *	side:   attach(SIDE_A or SIDE_B) -> send()/receive() -> process exit
 *
 * create() makes every kernel object, so that the parent can destroy() them
 * whatever becomes of the sides; it also claims named ones in the ledger
 * (lib/objname) and, where the kind allows it, unlinks names as soon as they
 * are no longer needed. attach() closes what the side does not use (the
 * other's pipe ends), so that a dead partner is noticed. Functions return 0 or
 * -errno. send() and receive() move exactly message_bytes, may block for ever
 * (the parent holds the deadline and kills the sides), restart after EINTR,
 * and return -EPIPE when the other side is gone and the mechanism can tell.
 */
#ifndef UNIXIPC_LIB_MEASURE_MECHANISM_H
#define UNIXIPC_LIB_MEASURE_MECHANISM_H

#include <stdbool.h>
#include <stddef.h>

enum mechanism_side { MECHANISM_A, MECHANISM_B };

/* What a user pays besides time: facts of the interface, not of a run. From
 * these --help states and the table computes "Best simplicity". */
struct mechanism_cost {
	int calls;             /* distinct system/library calls from create
				* to destroy, both sides */
	int names;             /* kernel-persistent names one must remove */
	bool keeps_boundaries; /* one send is one receive */
	bool can_poll;         /* has a descriptor for poll(2) */
};

struct mechanism {
	const char *name;    /* "posix-mq": what --mechanism takes */
	const char *title;   /* "POSIX Message Queue": the table's row */
	const char *summary; /* one line for `ipc_suite list` */
	bool spins;          /* a waiting side burns its CPU */
	struct mechanism_cost cost;

	/* Whether messages of this size can be carried on this machine now.
	 * Returns 0, or -EMSGSIZE (or another -errno) and in why one line that
	 * names the limit, its value, and how to raise it. NULL: any size. */
	int (*check)(size_t message_bytes, char *why, size_t why_size);

	/* *channel is the mechanism's own, allocated here. */
	int (*create)(void **channel, size_t message_bytes);
	int (*attach)(void *channel, enum mechanism_side side);
	int (*send)(void *channel, const void *message);
	int (*receive)(void *channel, void *message);
	/* Called once by the parent, also after a failed run. */
	void (*destroy)(void *channel);

	/* Optional: hand over what send() still holds back (deferred publish,
	 * batches). Called after the last send of a stream. */
	int (*flush)(void *channel);
};

#endif
