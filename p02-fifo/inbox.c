/* inbox.c - a buffer, and the rule when to give up on what is in it. */
#include "p02-fifo/inbox.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "lib/fdio.h"
#include "lib/frame.h"

void inbox_init(struct inbox *inbox, int fd)
{
	inbox->fd = fd;
	inbox->start = inbox->end = 0;
	inbox->skipped = 0;
	inbox->is_drained = true;
}

static void skip(struct inbox *inbox, size_t n)
{
	inbox->start += n;
	inbox->skipped += n;
}

int inbox_fill(struct inbox *inbox)
{
	size_t room;
	ssize_t n;

	/* What inbox_next() leaves is less than a frame: room is never 0. */
	memmove(inbox->buf, inbox->buf + inbox->start,
		inbox->end - inbox->start);
	inbox->end -= inbox->start;
	inbox->start = 0;
	room = sizeof(inbox->buf) - inbox->end;
	n = fdio_read(inbox->fd, inbox->buf + inbox->end, room);
	inbox->is_drained = n < (ssize_t)room;
	if (n == -EAGAIN || n == 0)
		return n ? 0 : -EPIPE;
	if (n < 0)
		return (int)n;
	inbox->end += (size_t)n;
	return 1;
}

int inbox_fill_soon(struct inbox *inbox)
{
	enum { TRIES = 12, YIELDS = 4 };
	int rc = 0;

	for (int i = 0; i < TRIES && rc == 0; i++) {
		/* On the writer's processor the first one lets it run. On
		 * another, reads in quick succession would only keep from it
		 * the lock that each pipe has. */
		for (int yields = i ? YIELDS : 1; yields; yields--)
			sched_yield();
		rc = inbox_fill(inbox);
	}
	return rc;
}

ssize_t inbox_next(struct inbox *inbox, uint32_t *type, const void **payload)
{
	struct frame_header header;
	size_t garbage;
	int found;

	for (;;) {
		found = frame_scan(inbox->buf + inbox->start,
				   inbox->end - inbox->start, FRAME_ATOMIC_MAX,
				   &garbage, &header);
		skip(inbox, garbage);
		if (found)
			break;
		if (!inbox->is_drained || inbox->start == inbox->end)
			return -EAGAIN;
		skip(inbox, 1);
	}
	*type = header.type;
	*payload = inbox->buf + inbox->start + sizeof(header);
	inbox->start += sizeof(header) + header.length;
	return header.length;
}

void inbox_reject(struct inbox *inbox, const void *payload)
{
	size_t header = (size_t)((const unsigned char *)payload - inbox->buf) -
			sizeof(struct frame_header);

	inbox->start = header;
	skip(inbox, 1);
}
