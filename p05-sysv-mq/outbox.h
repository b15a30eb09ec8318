/* outbox.h - replies that found no room, kept in order until there is some.
 *
 * Room is reserved for every reply, so this is for the exceptions: requests
 * of clients that were killed still lie in the queue while the kernel has
 * given their room to others. An outbox belongs to one worker; none of its
 * functions waits.
 */
#ifndef UNIXIPC_P05_SYSV_MQ_OUTBOX_H
#define UNIXIPC_P05_SYSV_MQ_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "p05-sysv-mq/letter.h"

enum { OUTBOX_MAX = 16 };

struct outbox {
	int n;
	struct {
		struct letter *letter;
		size_t text_bytes;
	} waiting[OUTBOX_MAX]; /* the oldest first */
};
#define OUTBOX_EMPTY   \
	{              \
		.n = 0 \
	}

/* Keep a copy. -ENOBUFS when it is full, -ENOMEM. */
int outbox_add(struct outbox *outbox, const struct letter *letter,
	       size_t text_bytes);

/* Send what can be sent, and forget what its client has given up (those are
 * counted in *expired). Returns 0 when nothing waits any more, -EAGAIN when
 * something does, or what letter_send() says. */
int outbox_flush(struct outbox *outbox, int queue,
		 const struct letter_place *here, unsigned int *expired);

/* Forget all of it. */
void outbox_clear(struct outbox *outbox);

#endif
