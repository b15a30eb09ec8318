/* submission.h - handing in one job so that no crash can lose it.
 *
 *	journal first, message second
 *
 * Once submission_send() has returned 0 the job will run, whoever dies. A
 * submitter that dies before has left either nothing or a whole job, which
 * will run too. For one thread.
 */
#ifndef UNIXIPC_P04_POSIX_MQ_DURABLE_SUBMISSION_H
#define UNIXIPC_P04_POSIX_MQ_DURABLE_SUBMISSION_H

#include <stdbool.h>

#include "p04-posix-mq/durable/journal.h"
#include "p04-posix-mq/job.h"
#include "p04-posix-mq/jobqueue.h"

#ifdef __cplusplus
extern "C" {
#endif

struct submission {
	struct journal *journal;
	struct jobqueue queue;
	struct job *job; /* the caller's */
	int record;      /* -1: none */
	bool is_sent;
};

/* Open the queue, give the job its id and write it into the journal. Fails
 * as jobqueue_join(), journal_enter(), journal_next_id() and record_create()
 * do, and with -EMSGSIZE when the job is longer than queue.message_bytes
 * (which is set then, as queue.capacity is). Nothing is left on failure;
 * otherwise call submission_end(). */
int submission_begin(struct submission *submission, struct journal *journal,
		     const char *queue_name, struct job *job);

/* Send the message. -ETIMEDOUT and -EINTR: it may be tried again. After 0 the
 * record stays open for record_has_ended(); set it to -1 to keep it longer
 * than the submission. */
int submission_send(struct submission *submission, int64_t deadline);

/* Take the job back unless it has been sent. */
void submission_end(struct submission *submission);

#ifdef __cplusplus
}
#endif

#endif
