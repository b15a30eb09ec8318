/* worker.h - a process that runs one job.
 *
 *	dispatcher ── worker ── /bin/sh -c COMMAND
 *	                        (in a process group of its own)
 *
 * The worker is the command's supervisor: it notes its process group in the
 * journal before the command may run, and how it ended before it ends itself.
 * It outlives a dispatcher that is killed just long enough to end the
 * command. If the worker is killed, the dispatcher ends the group; if both
 * are, the next dispatcher finds the group in the journal.
 *
 * A job never runs beside itself: a worker starts no command before all of the
 * last run has ended, its process group and whoever has inherited RECORD_RUN
 * (record.h). The command has that as a descriptor of a high number, for reading
 * and writing its own record. A process that closes all descriptors (closefrom(3),
 * daemons) is known by the group alone, and one that leaves the group, too, by
 * nothing.
 */
#ifndef UNIXIPC_P04_POSIX_MQ_WORKER_H
#define UNIXIPC_P04_POSIX_MQ_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/identity.h"
#include "lib/tick.h"
#include "p04-posix-mq/durable/record.h"
#include "p04-posix-mq/job.h"

struct worker {
	int journal_dir;
	const struct job *job;
	int out, err;     /* what the command gets as 1 and 2; 0 is /dev/null */
	int pidfd_socket; /* a Unix socket: the worker sends a pidfd of the command
		    * before that may run, worker_receive_leader(); -1: none */
	int64_t grace_ns; /* between SIGTERM and SIGKILL for the command */
};

/* How long a new run waits for what the last one has left, after SIGKILL, and
 * how long a worker that is told to end waits for its own command after that. */
#define WORKER_LAST_NS TICK_S
#define WORKER_KILL_NS (3 * TICK_S)

/* Start one. It runs the job and ends; SIGTERM, or the end of the calling
 * process, makes it end the command first and die by that signal. The job's
 * record alone says whether the command came to its end; a worker that exits
 * without that could not do its work, and its status is the errno: EBUSY when
 * the last run has not ended. Returns 0 and *pid, a child of the caller, or
 * -errno (-EAGAIN: no more processes). */
int worker_start(const struct worker *worker, pid_t *pid);

/* Whether something of the job's last run may live, as of now. */
bool worker_has_left(int journal_dir, uint64_t id);

/* Receive from the other end of pidfd_socket: 1 and *pidfd, the caller's now and
 * close-on-exec; 0 at the worker's end; -EAGAIN: nothing yet. */
int worker_receive_leader(int pidfd_socket, int *pidfd);

/* Send SIGKILL to the group of a command whose worker is gone, if it can be
 * proven to be that, and wait until no member lives. pidfd is the leader's from
 * before it ended, or -1 (identity_signal_group()). Returns 0, -ETIMEDOUT: some
 * live, or a process of that number that cannot be identified; or -EXDEV: nothing
 * can be told from here, ask for RECORD_RUN. */
int worker_end_group(const struct identity_process *leader, int pidfd,
		     int64_t deadline);

#endif
