/* Two System V message queues. They have an id and no descriptor, so they
 * live until somebody removes them: the ledger knows them meanwhile. */
#include "p06-bench/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>

#include "lib/measure/machine.h"
#include "lib/objname.h"

/* A message must begin with its type, so it is copied here first: a cost that
 * every user of this interface pays who does not own the buffer. */
struct typed {
	long type;
	char bytes[];
};

struct sysv_mq {
	size_t message_bytes;
	int queue[2]; /* from A to B, from B to A; -1: none */
	int tx;
	struct typed *out, *in;
};

static int check(size_t message_bytes, char *why, size_t why_size)
{
	static const struct {
		enum machine_limit limit;
		const char *what, *sysctl;
	} limits[] = {{MACHINE_MSGMAX, "message", "kernel.msgmax"},
		      {MACHINE_MSGMNB, "queue", "kernel.msgmnb"}};

	for (size_t i = 0; i < 2; i++) {
		int64_t max = machine_limit_read(limits[i].limit);

		if (max < 0 || (int64_t)message_bytes <= max)
			continue;
		snprintf(why, why_size,
			 "%s limit %lld bytes; raise: sysctl -w %s=%zu",
			 limits[i].what, (long long)max, limits[i].sysctl,
			 message_bytes);
		return -EMSGSIZE;
	}
	return 0;
}

static void destroy(void *channel)
{
	struct sysv_mq *c = channel;

	for (int i = 0; i < 2; i++) {
		if (c->queue[i] < 0)
			continue;
		msgctl(c->queue[i], IPC_RMID, NULL);
		objname_release_id(OBJNAME_SYSV_MSG, c->queue[i]);
	}
	free(c->out);
	free(c->in);
	free(c);
}

static int create(void **channel, size_t message_bytes)
{
	struct sysv_mq *c = calloc(1, sizeof(*c));
	int r = 0;

	if (!c)
		return -ENOMEM;
	c->message_bytes = message_bytes;
	c->queue[0] = c->queue[1] = -1;
	c->out = malloc(sizeof(*c->out) + message_bytes);
	c->in = malloc(sizeof(*c->in) + message_bytes);
	if (!c->out || !c->in)
		r = -ENOMEM;
	for (int i = 0; i < 2 && r == 0; i++) {
		c->queue[i] = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
		if (c->queue[i] < 0)
			r = -errno;
		else
			objname_claim_id(OBJNAME_SYSV_MSG, c->queue[i]);
	}
	if (r < 0) {
		destroy(c);
		return r;
	}
	*channel = c;
	return 0;
}

static int attach(void *channel, enum mechanism_side side)
{
	struct sysv_mq *c = channel;

	c->tx = side == MECHANISM_A ? 0 : 1;
	c->out->type = 1;
	return 0;
}

static int send(void *channel, const void *message)
{
	struct sysv_mq *c = channel;

	memcpy(c->out->bytes, message, c->message_bytes);
	while (msgsnd(c->queue[c->tx], c->out, c->message_bytes, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int receive(void *channel, void *message)
{
	struct sysv_mq *c = channel;
	ssize_t n;

	do
		n = msgrcv(c->queue[!c->tx], c->in, c->message_bytes, 0, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if ((size_t)n != c->message_bytes)
		return -EBADMSG;
	memcpy(message, c->in->bytes, c->message_bytes);
	return 0;
}

const struct mechanism mech_sysv_mq = {
	.name = "sysv-mq",
	.title = "System V Message Queue",
	.summary = "two System V message queues of kernel.msgmnb bytes",
	.cost = {.calls = 4, /* msgget msgsnd msgrcv msgctl */
		 .names = 2,
		 .keeps_boundaries = true},
	.check = check,
	.create = create,
	.attach = attach,
	.send = send,
	.receive = receive,
	.destroy = destroy,
};
