/* scheduler.h - the pending jobs, and which of them starts next.
 *
 * Whether a job is still to be done is for the journal alone to say. Messages
 * say when to look, and in which order: the message of a job that runs already
 * or has ended is dropped, and a job whose message a crash or a thief has taken
 * is found in the journal.
 *
 * Few jobs are pending here: what waits, waits in the kernel's queue. Here wait
 * those that have no message there any more (found in the journal after a
 * crash, or to be run again after their worker died), or that are known early
 * because of aging; and those that run are kept until they have ended.
 *
 * For one thread; what asks for one job takes time proportional to n.
 */
#ifndef UNIXIPC_P04_POSIX_MQ_SCHEDULER_H
#define UNIXIPC_P04_POSIX_MQ_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/tick.h"
#include "p04-posix-mq/durable/journal.h"
#include "p04-posix-mq/job.h"
#include "p04-posix-mq/jobqueue.h"

/* Nobody is woken for a job whose submitter was killed before it sent the
 * message, or whose message a thief took: look as often as that. */
#define SCHEDULER_LOOK_NS TICK_S

struct scheduler_entry {
	struct job *job;
	bool is_running;
	bool was_held;
	int64_t not_before; /* scheduler_hold() */
};

/* Zero it, and set the first five, to begin. */
struct scheduler {
	const struct journal *journal; /* the caller's, as is the queue */
	const struct jobqueue *queue;
	int64_t aging_ns; /* 0: off */
	/* Called when a message was dropped that is no job of this journal,
	 * with id 0, or record id was not sound and was set aside. Returns 0,
	 * or a negative value, which the function that called returns. */
	int (*on_unsound)(uint64_t id, void *arg);
	void *arg;

	struct scheduler_entry *entry;
	size_t n, room;
	struct job *message; /* room to receive into */
	int64_t next_look;   /* into the journal, when a worker is free */
};

/* Returns 0 or -ENOMEM; then, too, scheduler_close() frees what there is. */
int scheduler_open(struct scheduler *scheduler);
void scheduler_close(struct scheduler *scheduler);

/* Make pending every job of the journal that is not yet, except those that are
 * being submitted right now; end what is left of their commands. */
int scheduler_look_into_journal(struct scheduler *scheduler);

/* How much there is to do, apart from what runs: pending jobs and messages, of
 * which some may be of no use. 0 when the journal has nothing either; -errno. */
long scheduler_waiting(struct scheduler *scheduler);

/* The job to start now, 1 and *job, running from now on and still the
 * scheduler's; 0 when there is none (ask again at next_look, if nothing happens
 * before), or -errno. For each job that is started at most one message of a
 * waiting job leaves the queue: a full queue keeps meaning that so many jobs
 * wait, and the rest of the sorting stays with the kernel. */
int scheduler_next(struct scheduler *scheduler, const struct job **job);

/* The job waits again. */
void scheduler_put_back(struct scheduler *scheduler, uint64_t id);

/* The job waits again, and does not start before that moment. Whether it is the
 * first time. */
bool scheduler_hold(struct scheduler *scheduler, uint64_t id,
		    int64_t not_before);
bool scheduler_was_held(const struct scheduler *scheduler, uint64_t id);

/* The job has ended: freed. */
void scheduler_drop(struct scheduler *scheduler, uint64_t id);

/* ---- its steps, for tests: they need neither journal nor queue ------------ */

/* Take over a job (malloc'ed), also on failure. Returns 0 or -ENOMEM. */
int scheduler_add(struct scheduler *scheduler, struct job *job);

enum scheduler_state { SCHEDULER_NONE, SCHEDULER_WAITING, SCHEDULER_RUNNING };
enum scheduler_state scheduler_find(const struct scheduler *scheduler,
				    uint64_t id);

/* How many pending jobs could start now, and the first one of them, running
 * from now on, or NULL. */
size_t scheduler_ready(const struct scheduler *scheduler);
const struct job *scheduler_take(struct scheduler *scheduler);

#endif
