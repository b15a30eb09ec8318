/* slot.h - a worker slot: the job that its worker runs, and the output.
 *
 * For the one thread of dispatcher.c.
 */
#ifndef UNIXIPC_P04_POSIX_MQ_SLOT_H
#define UNIXIPC_P04_POSIX_MQ_SLOT_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "p04-posix-mq/job.h"
#include "p04-posix-mq/line_buffer.h"

/* The same for all slots of a dispatcher. */
struct slot_options {
	int journal_dir;
	uint32_t max_attempts;
	int64_t grace_ns; /* for commands, between SIGTERM and SIGKILL */
	struct outlet *out, *err;
};

/* Free while job is NULL. */
struct slot {
	const struct slot_options *options;
	const struct job *job; /* not ours */
	pid_t pid;
	int life;  /* a socket whose other end the worker alone has: end of file
		    * is its end, however it came */
	int pidfd; /* of its command, which it has sent; -1: not yet */
	int record;      /* of the job */
	bool has_ended;  /* the worker: some of its output may be left */
	bool is_stopped; /* by slot_stop() */
	bool is_reaped;
	int status; /* once it is */
	struct line_buffer out, err;
};

/* Start a worker for the job; the options must outlive it. -errno with the slot
 * still free: -EMFILE, -EAGAIN, ... */
int slot_start(struct slot *slot, const struct slot_options *options,
	       const struct job *job);

/* What to poll for, besides outlets that are not free. */
#define SLOT_FDS 3
void slot_fill_fds(const struct slot *slot, struct pollfd fds[SLOT_FDS]);

/* Pass on what the command has written, as far as the outlets take it. *is_over:
 * the worker has ended and all of that is out, call slot_finish(). Returns 0 or
 * why the output cannot be written. */
int slot_handle(struct slot *slot, const struct pollfd fds[SLOT_FDS],
		bool *is_over);

/* How it went, all that a worker's end can mean. */
enum slot_result {
	SLOT_ENDED,   /* by itself: n is the status, the job acknowledged */
	SLOT_DIED,    /* the worker died for the n-th time: to be run again */
	SLOT_FAILED,  /* … once too often, and the job is given up */
	SLOT_HELD,    /* what is left of its last run has not ended: n is the
		      * process group, or 0 when that is not known */
	SLOT_UNSOUND, /* its record was damaged meanwhile, and set aside */
	SLOT_STOPPED, /* by slot_stop(): to be run again, and no attempt */
	SLOT_SHORT,   /* the worker could not start it: n is the errno, of
		       * those that pass */
};

/* Ask the worker to end its command, and itself. */
void slot_stop(struct slot *slot);

/* Wait for the worker: SIGTERM at once, SIGKILL when it takes too long. */
int slot_reap(struct slot *slot);

/* Reap the worker if slot_reap() has not, pass on the last output until the
 * deadline, bring the journal up to date, free the slot. Returns 0 with *result and
 * *n, or -errno, -ETIMEDOUT with both when output was lost; the slot is free in any
 * case. */
int slot_finish(struct slot *slot, int64_t deadline, enum slot_result *result,
		long *n);

/* Whether an error is a shortage that may pass: of descriptors, processes or
 * memory. */
bool slot_is_shortage(int error);

#endif
