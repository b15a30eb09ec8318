/* sweep.c - a pass over the queue by way of its own interface: first in, first
 * out, as many messages as there were when we began. */
#include "p05-sysv-mq/sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/msg.h>

#include "lib/identity.h"
#include "lib/tick.h"
#include "p05-sysv-mq/letter.h"

static void count(struct sweep_counts *counts, const struct letter *letter,
		  size_t len)
{
	if (letter_check(&letter->head, len))
		counts->others++;
	else if (letter->type == LETTER_REQUEST)
		counts->requests++;
	else
		counts->replies++;
}

/* A doorbell for a thread, by its number alone. A thread of another namespace
 * cannot be judged: its type begins behind all thread ids. */
static bool is_doorbell_awaited(long type, const struct letter_place *here)
{
	const long beyond_all_threads = 1L << IDENTITY_PID_BITS;

	if (here->pid == 0 || type > beyond_all_threads + 1)
		return true;
	if (type == beyond_all_threads + 1)
		type = LETTER_REQUEST; /* letter_type() of thread 1 */
	return identity_start_time((pid_t)type) != 0;
}

static bool is_awaited(const struct letter *letter, size_t len,
		       const struct letter_place *here)
{
	const struct letter_head *head = &letter->head;
	bool is_judged = head->place.pid == here->pid;

	if (len == 0)
		return is_doorbell_awaited(letter->type, here);
	if (letter_check(head, len) ||
	    letter->type != letter_type(head, here->pid))
		return false;
	if (is_judged)
		return !letter_client_is_dead(head, here);
	/* It may live, and then it fetches what comes too late with its next
	 * request: not for ever. */
	return head->deadline > TICK_NEVER - SWEEP_UNKNOWN_NS ||
	       head->place.time != here->time ||
	       !tick_is_over(head->deadline + SWEEP_UNKNOWN_NS);
}

/* Take out one message. Returns its length or -errno. */
static ssize_t take(int queue, struct letter *letter, size_t text_max, bool all)
{
	int flags = IPC_NOWAIT | MSG_NOERROR | (all ? 0 : MSG_EXCEPT);
	ssize_t len = msgrcv(queue, letter, sizeof(letter->head) + text_max,
			     all ? 0 : LETTER_REQUEST, flags);

	return len < 0 ? -errno : len;
}

/* Of all, or of what is not awaited here. */
static int sweep(int queue, const struct letter_place *here,
		 struct sweep_counts *counts)
{
	ssize_t text_max = letter_text_max(queue), len = 0;
	struct msqid_ds status;
	struct letter *letter;

	*counts = (struct sweep_counts){0};
	if (text_max < 0)
		return (int)text_max;
	if (msgctl(queue, IPC_STAT, &status) < 0)
		return -errno;
	if (status.msg_qnum == 0)
		return 0;
	letter = letter_new((size_t)text_max);
	if (!letter)
		return -ENOMEM;
	for (msgqnum_t i = 0; i < status.msg_qnum; i++) {
		len = take(queue, letter, (size_t)text_max, !here);
		if (len < 0)
			break;
		/* Putting it back fails only if somebody sent without having
		 * reserved: then it counts among what was taken out. */
		if (!here || !is_awaited(letter, (size_t)len, here) ||
		    msgsnd(queue, letter, (size_t)len, IPC_NOWAIT) < 0)
			count(counts, letter, (size_t)len);
	}
	free(letter);
	return len < 0 && len != -ENOMSG ? (int)len : 0;
}

int sweep_purge(int queue, struct sweep_counts *counts)
{
	return sweep(queue, NULL, counts);
}

int sweep_dead(int queue, const struct letter_place *here,
	       struct sweep_counts *counts)
{
	return sweep(queue, here, counts);
}
