#include "p04-posix-mq/jobqueue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/identity.h"
#include "lib/tick.h"

/* Learn how large it is, and that it is ours alone. */
static int inspect(struct jobqueue *queue)
{
	struct mq_attr attr;
	struct stat st;

	if (mq_getattr(queue->mq, &attr) < 0 || fstat(queue->mq, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		return -EPERM;
	queue->capacity = attr.mq_maxmsg;
	queue->message_bytes = (size_t)attr.mq_msgsize;
	return queue->message_bytes < JOBQUEUE_MESSAGE_LEAST ? -EMSGSIZE : 0;
}

/* A queue that was there may go before we open it: then it is our turn. */
static int open_or_create(const char *name, struct mq_attr *attr, mqd_t *mq,
			  bool *is_new)
{
	const int flags = O_RDWR | O_CLOEXEC;

	do {
		*mq = mq_open(name, flags | O_CREAT | O_EXCL, 0600, attr);
		*is_new = *mq != (mqd_t)-1;
		if (*is_new || errno != EEXIST)
			break;
		*mq = mq_open(name, flags);
	} while (*mq == (mqd_t)-1 && errno == ENOENT);
	return *mq == (mqd_t)-1 ? -errno : 0;
}

int jobqueue_serve(struct jobqueue *queue, const char *name, long capacity,
		   size_t message_bytes, bool *is_new)
{
	struct mq_attr attr = {.mq_maxmsg = capacity,
			       .mq_msgsize = (long)message_bytes};
	int error;

	error = open_or_create(name, &attr, &queue->mq, is_new);
	if (error)
		return error;
	error = inspect(queue);
	if (!error && flock(queue->mq, LOCK_EX | LOCK_NB) < 0)
		error = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (error)
		jobqueue_close(queue);
	return error;
}

int jobqueue_join(struct jobqueue *queue, const char *name)
{
	int error;

	queue->mq = mq_open(name, O_WRONLY | O_CLOEXEC);
	if (queue->mq == (mqd_t)-1)
		return -errno;
	error = inspect(queue);
	if (error)
		jobqueue_close(queue);
	return error;
}

void jobqueue_close(struct jobqueue *queue)
{
	if (queue->mq != (mqd_t)-1)
		mq_close(queue->mq);
	queue->mq = (mqd_t)-1;
}

int jobqueue_look(const struct jobqueue *queue, const char *name)
{
	struct identity_object ours, named;
	int error = identity_of_fd(queue->mq, &ours);

	if (error)
		return error;
	error = identity_of_queue(name, &named);
	if (error == -EACCES)
		return -EEXIST; /* ours we may read */
	switch (identity_compare(&ours, error, &named)) {
	case IDENTITY_GONE:
		return -ENOENT;
	case IDENTITY_ANOTHER:
		return -EEXIST;
	case IDENTITY_SAME:
	case IDENTITY_CANNOT_TELL:
		break;
	}
	return 0;
}

/* The kernel puts in the message of a submitter that sleeps in mq_send(3) as soon
 * as one is taken. */
static int drop_messages(const struct jobqueue *queue)
{
	struct job *room = malloc(queue->message_bytes);
	int error = room ? 0 : -ENOMEM;

	while (!error || error == -EBADMSG || error == -EINTR)
		error = jobqueue_receive(queue, room, JOBQUEUE_TRY);
	free(room);
	return error == -EAGAIN ? 0 : error;
}

int jobqueue_renew(struct jobqueue *queue, const char *name)
{
	struct mq_attr attr = {.mq_maxmsg = queue->capacity,
			       .mq_msgsize = (long)queue->message_bytes};
	struct jobqueue next = *queue;
	int error = 0;

	next.mq = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600,
			  &attr);
	if (next.mq == (mqd_t)-1)
		return -errno;
	if (flock(next.mq, LOCK_EX | LOCK_NB) < 0)
		error = errno == EWOULDBLOCK ? -EEXIST : -errno;
	if (!error)
		error = drop_messages(queue);
	if (error) {
		jobqueue_close(&next);
		return error;
	}
	jobqueue_close(queue);
	*queue = next;
	return 0;
}

int jobqueue_remove(const struct jobqueue *queue, const char *name)
{
	int error = jobqueue_look(queue, name);

	if (!error && mq_unlink(name) < 0)
		error = -errno;
	return error;
}

/* The timed calls want the time of day; the year 1970 makes them try once. */
static struct timespec moment(int64_t deadline)
{
	const struct timespec past = {.tv_sec = 0};

	return deadline == JOBQUEUE_TRY ? past : tick_to_realtime(deadline);
}

/* Whether time is over although the call said so: the clock of the day may
 * have been set meanwhile. */
static bool is_early(int64_t deadline)
{
	return errno == ETIMEDOUT && !tick_is_over(deadline);
}

int jobqueue_send(const struct jobqueue *queue, const struct job *job,
		  int64_t deadline)
{
	const char *bytes = (const char *)job;
	struct timespec when;
	int rc;

	if (deadline == TICK_NEVER)
		return mq_send(queue->mq, bytes, job_bytes(job),
			       job->priority) < 0
			       ? -errno
			       : 0;
	do {
		when = moment(deadline);
		rc = mq_timedsend(queue->mq, bytes, job_bytes(job),
				  job->priority, &when);
	} while (rc < 0 && is_early(deadline));
	return rc < 0 ? -errno : 0;
}

/* The job says its priority itself; asking the kernel for it, too, would have
 * it write to one more place. */
static ssize_t receive(const struct jobqueue *queue, char *room,
		       int64_t deadline)
{
	struct timespec when;
	ssize_t n;

	if (deadline == TICK_NEVER)
		return mq_receive(queue->mq, room, queue->message_bytes, NULL);
	do {
		when = moment(deadline);
		n = mq_timedreceive(queue->mq, room, queue->message_bytes, NULL,
				    &when);
	} while (n < 0 && is_early(deadline));
	return n;
}

int jobqueue_receive(const struct jobqueue *queue, struct job *room,
		     int64_t deadline)
{
	ssize_t n = receive(queue, (char *)room, deadline);

	if (n >= 0)
		return job_check(room, (size_t)n);
	return deadline == JOBQUEUE_TRY && errno == ETIMEDOUT ? -EAGAIN
							      : -errno;
}

int jobqueue_depth(const struct jobqueue *queue, long *depth)
{
	struct mq_attr attr;

	if (mq_getattr(queue->mq, &attr) < 0)
		return -errno;
	*depth = attr.mq_curmsgs;
	return 0;
}
