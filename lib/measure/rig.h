/* rig.h - sides that start together at a gate, are watched, and are ended.
 *
 * A side is a process or a thread that runs a function of the caller's. Each
 * gets ready, meets the others at the gate, and works. The parent, which holds
 * the deadline, notices at once when one of them fails or dies, and leaves none
 * of them behind.
 *
 *	static int work(void *arg, struct rig_gate *gate)
 *	{
 *		… get ready …
 *		error = rig_meet(gate);
 *		… what is measured …
 *	}
 *
 * Where some sides serve the others, these are started first, and the others
 * once all of them are ready; when the others have ended, they are ended.
 *
 * One thread at a time may run a rig; it must last as long as the rig runs.
 */
#ifndef UNIXIPC_LIB_MEASURE_RIG_H
#define UNIXIPC_LIB_MEASURE_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a side has of its rig. */
struct rig_gate;

/* What it does. Returns 0 or -errno; a process then ends by child_exit(). */
typedef int rig_body(void *arg, struct rig_gate *gate);

struct rig_side {
	rig_body *body;
	void *arg;
	bool serves; /* the others: it has no end of its own */
};

struct rig {
	const struct rig_side *side;
	size_t sides;
	bool has_threads; /* sides are threads, else processes */
	const int *cpus;  /* of each side, -1: anywhere; NULL: all anywhere */

	/* In memory that all sides share, NULL for none: rig_run() makes it 0, and
	 * 1, in relaxed order, when they are to end: run_ns after the start (0:
	 * they end by themselves), or when the run has failed. */
	uint32_t *over;
	int64_t run_ns;

	int64_t deadline; /* for all of it, lib/tick.h */
	int64_t grace_ns; /* for those who are left, to say why */
	int stop_fd;      /* readable once a stop was asked for; 0 or less:
			   * there is none */
};

struct rig_result {
	/* 0; what body returned; -ECHILD: it was killed, or has exited
	 * otherwise; -ECANCELED: the rig has ended it. */
	int error;
	int status;                 /* of a process, as of waitpid(2) */
	bool is_cause;              /* what rig_run() returned */
	int64_t begun_ns, ended_ns; /* from the gate, or else from the start of
				     * body, to rig_finish(), or else its end;
				     * 0: it has not got so far */
};

/* Run all sides to their end. Processes ignore SIGINT, which a terminal sends to
 * all of the group and the parent acts upon, and have SIGTERM at its default.
 *
 * Who fails sets *over, and so do a stop and the deadline. Then processes are
 * killed: at once, or, where one was killed or has failed because of another
 * (-EPIPE, -EINTR), after the grace. Threads, which nobody can kill, have the
 * grace in any case, to look at *over.
 *
 * Returns 0 with a result for each side. Otherwise the error that counts: that
 * somebody was killed, before one of a side's own, before -EPIPE (somebody
 * else is gone), before -EINTR; of equals the first. -EINTR on a stop,
 * -ETIMEDOUT past the deadline, -EMFILE, -EAGAIN or another -errno when they
 * could not be started. Nothing is left running; but with -EDEADLK a thread
 * is, which has not ended in time: the caller can keep its memory, and exit. */
int rig_run(const struct rig *rig, struct rig_result *result);

enum { RIG_CLIENTS_MAX = 64 };

/* Run a server and its clients, RIG_CLIENTS_MAX at most: processes, anywhere, all
 * with the same arg. Returns the nanoseconds that the clients took together, as
 * rig_elapsed_ns(), or -errno as rig_run(). */
int64_t rig_run_clients(rig_body *server, rig_body *client, size_t clients,
			void *arg, int64_t deadline);

/* From the first that began to the last that ended, without those who serve. */
int64_t rig_elapsed_ns(const struct rig *rig, const struct rig_result *result);

/* ---- for a side ---- */

/* Say that this side is ready, wait until all are, and start its clock. Either
 * all who do not serve call this, once, or none does. Nobody begins before the
 * last is awake. Returns 0, or -ECANCELED: the run has failed. */
int rig_meet(struct rig_gate *gate);

/* Which of the rig's sides this is, from 0; of the clients of rig_run_clients(),
 * which client. */
size_t rig_number(const struct rig_gate *gate);

/* For who serves: say that it is ready. Returns 0 or -errno. */
int rig_serve(struct rig_gate *gate);

/* Its clock stops here, before it cleans up. */
void rig_finish(struct rig_gate *gate);

#endif
