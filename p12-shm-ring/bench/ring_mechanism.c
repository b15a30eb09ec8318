#include "p12-shm-ring/bench/ring_mechanism.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fdio.h"
#include "lib/tick.h"

static size_t capacity_for(size_t message_bytes, size_t wanted)
{
	return wanted < 4 * (message_bytes + 8) ? 4 * (message_bytes + 8)
						: wanted;
}

int ring_mechanism_check(size_t message_bytes, char *why, size_t why_size)
{
	if (capacity_for(message_bytes, 0) <= RING_CAPACITY_MAX)
		return 0;
	snprintf(why, why_size,
		 "a ring has %zu MB at most, and is to hold four messages",
		 RING_CAPACITY_MAX >> 20);
	return -EMSGSIZE;
}

int ring_mechanism_create(void **channel, size_t message_bytes,
			  const struct ring_options *options)
{
	struct ring_mechanism *c = calloc(1, sizeof(*c));
	int rc = 0;

	if (!c)
		return -ENOMEM;
	c->options = *options;
	c->message_bytes = message_bytes;
	for (int i = 0; i < 2; i++) {
		c->fd[i] = ring_memfd(
			capacity_for(message_bytes, options->capacity));
		if (c->fd[i] < 0)
			rc = c->fd[i];
	}
	if (rc) {
		ring_mechanism_destroy(c);
		return rc;
	}
	*channel = c;
	return 0;
}

int ring_mechanism_attach(void *channel, enum mechanism_side side)
{
	struct ring_mechanism *c = channel;
	const int tx = side == MECHANISM_A ? 0 : 1;
	int rc = ring_attach(&c->tx, c->fd[tx], RING_SENDER, &c->options);

	return rc ? rc
		  : ring_attach(&c->rx, c->fd[!tx], RING_RECEIVER, &c->options);
}

int ring_mechanism_send(void *channel, const void *message)
{
	struct ring_mechanism *c = channel;
	int rc;

	do
		rc = ring_send(c->tx, message, c->message_bytes, TICK_NEVER);
	while (rc == -EINTR);
	return rc == -EOWNERDEAD ? -EPIPE : rc;
}

int ring_mechanism_flush(void *channel)
{
	struct ring_mechanism *c = channel;

	ring_flush(c->tx);
	c->held = 0;
	return 0;
}

int ring_mechanism_send_later(void *channel, const void *message)
{
	struct ring_mechanism *c = channel;
	void *place;
	int rc;

	do
		rc = ring_reserve(c->tx, c->message_bytes, &place, TICK_NEVER);
	while (rc == -EINTR);
	if (rc)
		return rc == -EOWNERDEAD ? -EPIPE : rc;
	memcpy(place, message, c->message_bytes);
	ring_commit_later(c->tx, c->message_bytes);
	return ++c->held < RING_MECHANISM_BATCH ? 0 : ring_mechanism_flush(c);
}

int ring_mechanism_receive(void *channel, void *message)
{
	struct ring_mechanism *c = channel;
	ssize_t len;

	do
		len = ring_recv(c->rx, message, c->message_bytes, TICK_NEVER);
	while (len == -EINTR);
	if (len < 0)
		return len == -EOWNERDEAD ? -EPIPE : (int)len;
	return (size_t)len == c->message_bytes ? 0 : -EBADMSG;
}

void ring_mechanism_destroy(void *channel)
{
	struct ring_mechanism *c = channel;

	ring_abandon(c->tx);
	ring_abandon(c->rx);
	for (int i = 0; i < 2; i++)
		if (c->fd[i] > 0)
			fdio_close(&c->fd[i]);
	free(c);
}
