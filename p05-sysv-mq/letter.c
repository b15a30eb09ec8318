/* letter.c - the only place that calls msgsnd(2) and msgrcv(2) for letters. */
#include "p05-sysv-mq/letter.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/msg.h>

#include "lib/identity.h"
#include "lib/tick.h"

struct letter *letter_new(size_t text_max)
{
	return malloc(sizeof(struct letter) + text_max + 1);
}

struct letter_place letter_place_here(void)
{
	struct identity_place place;

	if (identity_place_here(&place))
		return (struct letter_place){.pid = 0};
	return (struct letter_place){.pid = (uint32_t)place.pid.inode,
				     .time = (uint32_t)place.time.inode};
}

/* Thread ids have 22 bits: PID_MAX_LIMIT of the kernel, proc(5). */
long letter_type(const struct letter_head *head, uint32_t server_namespace)
{
	const uint64_t beyond_all_threads = UINT64_C(1) << IDENTITY_PID_BITS;
	uint64_t type = (uint64_t)head->client;

	if (head->place.pid == 0 && server_namespace != 0)
		/* Of a namespace that cannot tell which. */
		type = head->nonce | UINT64_C(1) << 60;
	else if (head->place.pid != server_namespace)
		type |= (uint64_t)head->place.pid << IDENTITY_PID_BITS;
	else if (head->client == LETTER_REQUEST)
		type = beyond_all_threads + 1;
	return (long)(type & LONG_MAX);
}

bool letter_client_is_dead(const struct letter_head *head,
			   const struct letter_place *here)
{
	return here->pid != 0 && head->place.pid == here->pid &&
	       head->place.time == here->time &&
	       !identity_is_alive(head->client, head->start);
}

bool letter_is_over(const struct letter_head *head,
		    const struct letter_place *here)
{
	return head->place.time == here->time && tick_is_over(head->deadline);
}

uint32_t letter_units(size_t text_bytes)
{
	size_t bytes = sizeof(struct letter_head) + text_bytes;

	return (uint32_t)((bytes + LETTER_UNIT - 1) / LETTER_UNIT);
}

/* An id that is no longer in use is EINVAL, one that is removed while we look
 * is EIDRM. Sizes and types are right here, so it means the same. */
static int queue_error(void)
{
	return errno == EINVAL ? -EIDRM : -errno;
}

static int put(int queue, const void *message, size_t len)
{
	return msgsnd(queue, message, len, IPC_NOWAIT) < 0 ? queue_error() : 0;
}

int letter_send(int queue, const struct letter *letter, size_t text_bytes)
{
	return put(queue, letter, sizeof(letter->head) + text_bytes);
}

int letter_ring(int queue, long type)
{
	return put(queue, &type, 0);
}

int letter_check(const struct letter_head *head, size_t len)
{
	if (len < sizeof(*head) || head->magic != LETTER_MAGIC ||
	    head->client <= 0 ||
	    head->units < letter_units(len - sizeof(*head)))
		return -EBADMSG;
	return 0;
}

/* Without MSG_NOERROR a message that is larger than the buffer would stay at
 * the head of its type and fail every call with E2BIG. Taking it out by a
 * second call is no way either: another worker, who had E2BIG as well, would
 * take out the request behind it. So one call takes whatever comes, and that
 * it was cut short shows by the one byte that no letter of ours needs. */
ssize_t letter_receive(int queue, long type, struct letter *letter,
		       size_t text_max, int flags)
{
	const size_t most = sizeof(letter->head) + text_max;
	ssize_t len =
		msgrcv(queue, letter, most + 1, type, flags | MSG_NOERROR);

	if (len == 0)
		return -ENODATA;
	if (len < 0)
		return queue_error();
	if ((size_t)len > most || letter_check(&letter->head, (size_t)len))
		return -EBADMSG;
	return len - (ssize_t)sizeof(letter->head);
}

ssize_t letter_text_max(int queue)
{
	/* More than that a semaphore cannot count in units. */
	const size_t most = (size_t)16383 * LETTER_UNIT;
	struct msqid_ds status;
	struct msginfo limits;
	size_t bytes;

	if (msgctl(queue, IPC_STAT, &status) < 0)
		return queue_error();
	if (msgctl(0, IPC_INFO, (struct msqid_ds *)&limits) < 0)
		return -errno;
	bytes = status.msg_qbytes / 2;
	if (bytes > (size_t)limits.msgmax)
		bytes = (size_t)limits.msgmax;
	if (bytes > most)
		bytes = most;
	/* Whole units, for that is how room is reserved. */
	bytes -= bytes % LETTER_UNIT;
	if (bytes <= sizeof(struct letter_head))
		return 0;
	return (ssize_t)(bytes - sizeof(struct letter_head));
}
