/* backlog.h - replies that found no room, kept in order until there is some.
 *
 * Room is reserved for every reply, so this is for the exceptions: requests
 * of clients that were killed still lie in the queue while the kernel has
 * given their room to others. A backlog belongs to one worker; none of its
 * functions waits.
 */
#ifndef UNIXIPC_P05_SYSV_MQ_BACKLOG_H
#define UNIXIPC_P05_SYSV_MQ_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>

#include "p05-sysv-mq/letter.h"

enum { BACKLOG_MAX = 16 };

struct backlog {
	int n;
	struct {
		struct letter *letter;
		size_t text_bytes;
	} waiting[BACKLOG_MAX]; /* the oldest first */
};
#define BACKLOG_EMPTY  \
	{              \
		.n = 0 \
	}

/* Keep a copy. -ENOBUFS when it is full, -ENOMEM. */
int backlog_add(struct backlog *backlog, const struct letter *letter,
		size_t text_bytes);

/* Send what can be sent, and forget what its client has given up (those are
 * counted in *expired). Returns 0 when nothing waits any more, -EAGAIN when
 * something does, or what letter_send() says. */
int backlog_flush(struct backlog *backlog, int queue,
		  const struct letter_place *here, unsigned int *expired);

/* Forget all of it. */
void backlog_clear(struct backlog *backlog);

#endif
