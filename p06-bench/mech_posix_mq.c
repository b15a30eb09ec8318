/* Two POSIX message queues. Their names live for microseconds: both sides
 * inherit the descriptors. */
#include "p06-bench/table.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/mqlimit.h"
#include "lib/objname.h"

#define DEPTH_MAX 64

struct posix_mq {
	size_t message_bytes;
	mqd_t queue[2]; /* from A to B, from B to A */
	int tx;
};

static int open_queue(const char *word, size_t message_bytes, int64_t depth,
		      mqd_t *queue)
{
	char name[OBJNAME_MAX];
	struct mq_attr attr = {.mq_maxmsg = (long)depth,
			       .mq_msgsize = (long)message_bytes};
	int r = objname_make(name, sizeof(name), word);

	if (r < 0)
		return r;
	objname_claim(OBJNAME_MQ, name);
	*queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600,
			 &attr);
	r = *queue == (mqd_t)-1 ? -errno : 0;
	if (r == 0)
		mq_unlink(name);
	objname_release(OBJNAME_MQ, name);
	return r;
}

static void close_queues(struct posix_mq *c)
{
	for (int i = 0; i < 2; i++) {
		if (c->queue[i] != (mqd_t)-1)
			mq_close(c->queue[i]);
		c->queue[i] = (mqd_t)-1;
	}
}

static void destroy(void *channel)
{
	close_queues(channel);
	free(channel);
}

/* Both as deep as the limit of the system allows, up to DEPTH_MAX; less when the
 * user's share of memory (EMFILE) is too small for that. */
static int create(void **channel, size_t message_bytes)
{
	struct posix_mq *c = malloc(sizeof(*c));
	int64_t depth = mqlimit_read(MQLIMIT_MESSAGES);
	int r;

	if (!c)
		return -ENOMEM;
	*c = (struct posix_mq){.message_bytes = message_bytes,
			       .queue = {(mqd_t)-1, (mqd_t)-1}};
	depth = depth < 1 ? 10 : depth > DEPTH_MAX ? DEPTH_MAX : depth;
	do {
		close_queues(c);
		r = open_queue("a-to-b", message_bytes, depth, &c->queue[0]);
		if (r == 0)
			r = open_queue("b-to-a", message_bytes, depth,
				       &c->queue[1]);
		depth /= 2;
	} while (r == -EMFILE && depth > 0);
	if (r < 0) {
		destroy(c);
		return r;
	}
	*channel = c;
	return 0;
}

/* The limits hold for everybody here, though root could pass them: a figure
 * should be one that users get. What the user's other queues have taken is known
 * to the kernel alone. */
static int check(size_t message_bytes, char *why, size_t why_size)
{
	void *channel;
	int r;

	if (mqlimit_check(2, 1, message_bytes, why, why_size))
		return -EMSGSIZE;
	r = create(&channel, message_bytes);
	if (r == 0)
		destroy(channel);
	else if (mqlimit_explain(r, 1, message_bytes, why, why_size))
		r = -EMSGSIZE;
	return r;
}

static int attach(void *channel, enum mechanism_side side)
{
	struct posix_mq *c = channel;

	c->tx = side == MECHANISM_A ? 0 : 1;
	return 0;
}

static int send(void *channel, const void *message)
{
	struct posix_mq *c = channel;

	while (mq_send(c->queue[c->tx], message, c->message_bytes, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int receive(void *channel, void *message)
{
	struct posix_mq *c = channel;
	ssize_t n;

	do
		n = mq_receive(c->queue[!c->tx], message, c->message_bytes,
			       NULL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == c->message_bytes ? 0 : -EBADMSG;
}

const struct mechanism mech_posix_mq = {
	.name = "posix-mq",
	.title = "POSIX Message Queue",
	.summary = "two POSIX message queues, of up to 64 messages",
	.cost = {.calls = 5, /* mq_open mq_unlink mq_send mq_receive mq_close */
		 .names = 2,
		 .keeps_boundaries = true,
		 .can_poll = true},
	.check = check,
	.create = create,
	.attach = attach,
	.send = send,
	.receive = receive,
	.destroy = destroy,
};
