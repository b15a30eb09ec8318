/* intake.h - where the dispatcher's jobs come from: the queue and the journal.
 *
 * Whether a job is still to be done is for the journal alone to say. Messages
 * are tickets: they say when to look and in which order. A ticket of a job
 * that runs already or has ended is dropped; a job whose ticket a crash or a
 * thief has taken is found in the journal.
 *
 * For the one thread of dispatcher.c.
 */
#ifndef UNIXIPC_P04_POSIX_MQ_INTAKE_H
#define UNIXIPC_P04_POSIX_MQ_INTAKE_H

#include <stdint.h>

#include "lib/tick.h"
#include "p04-posix-mq/dispatcher.h"
#include "p04-posix-mq/hand.h"

/* Nobody is woken for a job whose submitter was killed before it sent the
 * message, or whose message a thief took: look as often as that. */
#define INTAKE_LOOK_NS TICK_S

struct intake {
	const struct dispatcher_options *options;
	struct hand hand;
	struct job *message; /* room to receive into */
	int64_t next_look;   /* into the journal, when a worker is free */
};

/* Zeroed but for options. Returns 0 or -ENOMEM. */
int intake_open(struct intake *intake);
void intake_close(struct intake *intake);

/* Take every job of the journal in hand that is not in hand yet, except those
 * that are being submitted right now; end what is left of their commands. */
int intake_look_into_journal(struct intake *intake);

/* How much there is to do, apart from what runs: jobs in hand and messages, of
 * which some may be of no use. 0 when the journal has nothing either; -errno. */
long intake_waiting(struct intake *intake);

/* The job to start now, 1 and *job; 0 when there is none (ask again at
 * next_look, if nothing happens before), or -errno. For each
 * job that is started at most one ticket of a waiting job leaves the queue: a
 * full queue keeps meaning that so many jobs wait, and the rest of the sorting
 * stays with the kernel. */
int intake_next(struct intake *intake, const struct job **job);

#endif
