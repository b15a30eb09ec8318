/* journal.h - the directory that remembers jobs: who holds it, ids, and how a
 * job comes into it.
 *
 *	journal/            mode 0700, ours; locked (shared) by submitters
 *	  head              struct journal_head; locked while an id is taken
 *	  dispatcher        which process the dispatcher is; a role, held by it
 *	                    and, through inheritance, by its workers
 *	  ID.job            a job, record.h
 *	  ID.tmp            one being written
 *	  ID.bad            one that was found unsound
 *
 * Locks are flock(2), the role is an OFD lock (lib/identity): the kernel releases
 * them when their holder dies, in whatever PID namespace. They are taken in the
 * order directory, record, head. What must survive a power
 * cut is on the disk (fdatasync) when a function returns: the head with each
 * id, and jobs. Functions return -errno on failure; a journal belongs to one
 * thread.
 */
#ifndef UNIXIPC_P04_POSIX_MQ_DURABLE_JOURNAL_H
#define UNIXIPC_P04_POSIX_MQ_DURABLE_JOURNAL_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/identity.h"
#include "p04-posix-mq/job.h"
#include "p04-posix-mq/jobqueue.h"

#ifdef __cplusplus
extern "C" {
#endif

#define JOURNAL_VERSION 3 /* as RECORD_VERSION: earlier ones are refused */

struct journal_head {
	char magic[8]; /* "UIPCJOBS" */
	uint32_t version;
	uint32_t crc;      /* CRC-32C of the rest, this being 0 */
	uint64_t identity; /* random: messages say which journal they mean */
	uint64_t last_id;
};
static_assert(sizeof(struct journal_head) == 32, "the format of a head");

struct journal {
	int dir, head;
	struct identity_role dispatcher; /* none unless journal_serve() */
	uint64_t identity;
};

/* Open the journal at path; create makes the directory (not its parents) and
 * the head; ids then go on behind those of the jobs that are there, so a head
 * that is damaged may be removed. Returns 0, -ENOENT (no journal there),
 * -ENOTDIR, -EPERM (of somebody else, or others may enter), -EBADMSG (no
 * journal, or its head is damaged), or -EPROTONOSUPPORT (of another version). */
int journal_open(struct journal *journal, const char *path, bool create);
void journal_close(struct journal *journal);

/* Become the dispatcher. The workers of one that was killed hold the lock
 * until their commands are gone, so this waits until the deadline. Returns 0,
 * -EBUSY and *holder when a dispatcher is alive, also at the deadline with
 * *holder 0 when it may be, in another PID namespace; -ETIMEDOUT when only
 * workers of it are. Forked children hold the role, too, until they exec. */
int journal_serve(struct journal *journal, int64_t deadline, pid_t *holder);

/* Whether a dispatcher holds the journal, as of now. */
bool journal_is_served(const struct journal *journal);

/* Take the next id. -ETIMEDOUT: somebody else holds the head; -EBADMSG: it has
 * been damaged since; -EOVERFLOW. */
int journal_next_id(struct journal *journal, uint64_t *id);

/* The last id that was taken. */
int journal_last_id(const struct journal *journal, uint64_t *id);

/* Submitters are between enter and leave as long as they may still send a
 * message; any number may be. -ETIMEDOUT: a dispatcher keeps them out
 * all that time. */
int journal_enter(struct journal *journal);
void journal_leave(struct journal *journal);

/* Keep submitters out until journal_leave(); -EBUSY while one is in. */
int journal_try_close(struct journal *journal);

/* Call visit with the id of each record, in no order, until it returns
 * non-zero, which is returned, or -errno where the folder cannot be read.
 * Records may come and go meanwhile. */
int journal_each(const struct journal *journal,
		 int (*visit)(uint64_t id, void *arg), void *arg);

/* Remove what submitters that died in mid-write have left, if none is at work
 * now. */
int journal_sweep(struct journal *journal);

/* ---- handing in one job so that no crash can lose it ------------------------
 *
 *	journal first, message second
 *
 * Once journal_submission_send() has returned 0 the job will run, whoever dies.
 * A submitter that dies before has left either nothing or a whole job, which
 * will run too.
 */

struct journal_submission {
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
 * otherwise call journal_submission_end(). */
int journal_submission_begin(struct journal_submission *submission,
			     struct journal *journal, const char *queue_name,
			     struct job *job);

/* Send the message. -ETIMEDOUT and -EINTR: it may be tried again. After 0 the
 * record stays open for record_has_ended(); set it to -1 to keep it longer
 * than the submission. */
int journal_submission_send(struct journal_submission *submission,
			    int64_t deadline);

/* Take the job back unless it has been sent. */
void journal_submission_end(struct journal_submission *submission);

#ifdef __cplusplus
}
#endif

#endif
