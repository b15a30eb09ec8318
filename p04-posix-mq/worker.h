/* worker.h - a process that runs one job.
 *
 *	dispatcher ── worker ── /bin/sh -c COMMAND
 *	                        (in a process group of its own)
 *
 * The worker is the command's guardian: it notes its process group in the
 * journal before the command may run, and how it ended before it ends itself.
 * It outlives a dispatcher that is killed just long enough to end the
 * command. If the worker is killed, the dispatcher ends the group; if both
 * are, the next dispatcher finds the group in the journal.
 */
#ifndef UNIXIPC_P04_POSIX_MQ_WORKER_H
#define UNIXIPC_P04_POSIX_MQ_WORKER_H

#include <stdint.h>
#include <sys/types.h>

#include "p04-posix-mq/durable/record.h"
#include "p04-posix-mq/job.h"

struct worker {
	int journal_dir;
	const struct job *job;
	int out, err;     /* what the command gets as 1 and 2; 0 is /dev/null */
	int64_t grace_ns; /* between SIGTERM and SIGKILL for the command */
};

/* Start one. It runs the job and ends; SIGTERM, or the end of the calling
 * process, makes it end the command first and die by that signal. The job's
 * record alone says whether the command came to its end; a worker that exits
 * without that could not do its work, and its status is the errno. Returns 0
 * and *pid, a child of the caller, or -errno (-EAGAIN: no more processes). */
int worker_start(const struct worker *worker, pid_t *pid);

/* End what is left of a job whose worker is gone, as its record says. With
 * is_ours the worker was a child that has not been waited for long ago, so
 * that the group's number cannot belong to another; otherwise the group is
 * left alone unless its leader is known to live. Returns 0 or -ETIMEDOUT. */
int worker_end_group(const struct record_head *record, bool is_ours);

#endif
