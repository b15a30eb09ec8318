/* dispatcher.h - takes jobs out of the queue and has workers run them.
 *
 * It leaves waiting jobs in the queue, where the kernel sorts them and a full
 * queue holds submitters back, and takes a message only when a worker is
 * free. It looks into the journal as well: when it starts, when it runs out
 * of messages, before a start if that was a second ago, and, with aging, before
 * each start. There it finds jobs whose message a crash or a thief has taken. A
 * message of a job that is running or has ended is dropped. Nothing is
 * printed here: see report.
 */
#ifndef UNIXIPC_P04_POSIX_MQ_DISPATCHER_H
#define UNIXIPC_P04_POSIX_MQ_DISPATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/tick.h"
#include "p04-posix-mq/durable/journal.h"
#include "p04-posix-mq/job.h"
#include "p04-posix-mq/jobqueue.h"
#include "p04-posix-mq/outlet.h"
#include "p04-posix-mq/wake.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DISPATCHER_WORKERS_MAX 256
#define DISPATCHER_LINGERS 5
#define DISPATCHER_HOLD_NS (5 * TICK_S)

enum dispatcher_event {
	DISPATCHER_STARTED, /* a worker is about to run the job */
	DISPATCHER_ENDED,   /* the command ended with status n, as a shell
			      * gives it; the job is acknowledged */
	DISPATCHER_DIED,    /* its worker died, the n-th time: it will run
			      * again */
	DISPATCHER_FAILED,  /* its worker died n times: given up */
	DISPATCHER_HELD,    /* what is left of the job's last run, process group
			      * n or 0, has not ended: it does not start before
			      * that, and this is asked every DISPATCHER_HOLD_NS;
			      * told once */
	DISPATCHER_FOUND,   /* n jobs were in the journal at start; no job */
	DISPATCHER_STRANGER, /* a message was dropped that was no job of this
			      * journal; no job */
	DISPATCHER_RENEWED, /* somebody had removed the queue's name, and it was
			      * made anew; no job */
	DISPATCHER_SHORT,   /* no worker can be had now, errno n: it is tried
			     * again each second, and told once */
	DISPATCHER_UNREAD,  /* at a stop, nobody had read the last of the output
			     * for grace_ns, and it is lost; no job */
	DISPATCHER_UNSOUND, /* record n was not sound and was set aside; no
			      * job: it will not run, or nobody knows how it
			      * ended */
};

struct dispatcher_options {
	struct journal *journal; /* served by the caller */
	struct jobqueue *queue;
	const char *queue_name; /* NULL: it may have lost its name */
	enum wake_mode wake;
	int workers;           /* 1 … DISPATCHER_WORKERS_MAX */
	uint32_t max_attempts; /* >= 1 */
	int64_t linger_ns; /* an idle dispatcher waits so long after the first
			    * job for more urgent ones, and again if some have
			    * come, DISPATCHER_LINGERS times at most */
	int64_t aging_ns;  /* 0: off; at most JOB_AGING_MAX_NS */
	int64_t grace_ns;  /* for commands, between SIGTERM and SIGKILL */
	bool drain; /* end when there is nothing to do; what is held waits
			    * for the next start */
	struct outlet *out, *err; /* where output of commands goes, by whole
				   * lines; the same one twice is allowed */
	int stop_fd;              /* end when readable */
	/* Called for each event, at once. A negative value ends the run. */
	int (*report)(enum dispatcher_event event, const struct job *job,
		      long n, void *arg);
	void *arg;
};

/* Dispatch until told to stop, or drained. Running commands are ended then,
 * and their jobs stay in the journal; they do not count as attempts. A reader that
 * does not read out or err holds back jobs that write there, and nothing else.
 * Returns 0, -EBUSY (wake_arm()), -EEXIST (another queue has the name by now),
 * -EPROTONOSUPPORT (a record of another version is in the journal), what report()
 * or writing to out gave, or another -errno; no worker is left in any case. Out of
 * descriptors, processes or memory, it waits for some. */
int dispatcher_run(const struct dispatcher_options *options);

#ifdef __cplusplus
}
#endif

#endif
