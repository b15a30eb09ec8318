/* jobqueue.h - a POSIX message queue that carries jobs.
 *
 * The kernel keeps messages by priority, of equals in order of arrival, and
 * hands over the first one. The queue has a name and outlives its users. UNP2
 * 5.2-5.5, mq_overview(7). A message is one system call on either side. Functions
 * return -errno on failure; any thread or process may call them at any time.
 */
#ifndef UNIXIPC_P04_POSIX_MQ_JOBQUEUE_H
#define UNIXIPC_P04_POSIX_MQ_JOBQUEUE_H

#include <mqueue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p04-posix-mq/job.h"

#ifdef __cplusplus
extern "C" {
#endif

#define JOBQUEUE_CAPACITY 10        /* the system's limit for users */
#define JOBQUEUE_MESSAGE_BYTES 8192 /* ditto */
#define JOBQUEUE_MESSAGE_LEAST (sizeof(struct job) + 2) /* the shortest job */
#define JOBQUEUE_TRY INT64_C(0) /* a deadline: do not wait at all */

struct jobqueue {
	mqd_t mq;
	long capacity;        /* messages */
	size_t message_bytes; /* of a message, at most */
};

/* The receiving end. Creates the queue with mode 0600, or takes over the one
 * that a crash has left, with the room that it has. Locked (flock) until it is
 * closed, also by forked children. Returns 0 and *is_new, -EBUSY (somebody
 * serves it, with another journal), -EPERM (it belongs to somebody else, or
 * others may write to it: what comes out of it cannot be trusted), -EMSGSIZE (of
 * another program: its messages have no room for a job), or as
 * mq_open(3): -EINVAL, -EMFILE and -ENOSPC are limits (lib/mqlimit.h), -EACCES is
 * a queue of another user. */
int jobqueue_serve(struct jobqueue *queue, const char *name, long capacity,
		   size_t message_bytes, bool *is_new);

/* The sending end of a queue that exists: -ENOENT when nobody serves it,
 * -EACCES, -EPERM and -EMSGSIZE as above. */
int jobqueue_join(struct jobqueue *queue, const char *name);

void jobqueue_close(struct jobqueue *queue);

/* Whether the name still means this queue. It may be removed under a living
 * server (rm, RemoveIPC of logind), which should look now and then: no submitter
 * would find it. 0, also when that cannot be told; -ENOENT: nothing has the name;
 * -EEXIST: another queue has. */
int jobqueue_look(const struct jobqueue *queue, const char *name);

/* For the server: make the queue anew, which nobody may have done before, and go
 * on with it. Messages of the old one are dropped, so that those who were
 * waiting for room in it are told that theirs has been taken. Returns 0, or as
 * jobqueue_serve() with the old queue still open: -EEXIST when another was
 * quicker. */
int jobqueue_renew(struct jobqueue *queue, const char *name);

/* Remove the name if it is this queue's, else as jobqueue_look(); a process that
 * has the queue open can go on using it. A name that changes hands between the look
 * and the removal is lost: only its owner and root can do that. */
int jobqueue_remove(const struct jobqueue *queue, const char *name);

/* Send a job with its priority. Returns 0, -EMSGSIZE (longer than
 * message_bytes), -ETIMEDOUT (still full at the deadline), -EINTR. */
int jobqueue_send(const struct jobqueue *queue, const struct job *job,
		  int64_t deadline);

/* Receive the first job into room for message_bytes (from malloc). Returns 0,
 * -EAGAIN (JOBQUEUE_TRY on an empty queue), -ETIMEDOUT, -EINTR, or -EBADMSG:
 * what came, and is gone now, was no job. */
int jobqueue_receive(const struct jobqueue *queue, struct job *room,
		     int64_t deadline);

/* How many messages are in it now. */
int jobqueue_depth(const struct jobqueue *queue, long *depth);

#ifdef __cplusplus
}
#endif

#endif
