/* mqworker.c - take a request, answer it, put the reply back.
 *
 * Sending never waits. When there is no room, which needs clients that were
 * killed, the worker sweeps, tries once more, and keeps the reply. From then
 * on it does not sleep in msgrcv(2) until its outbox is empty, and spends no
 * answer on clients that are dead: taking requests out is what makes room.
 */
#include "p05-sysv-mq/mqworker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <unistd.h>

#include "lib/tick.h"
#include "p05-sysv-mq/outbox.h"

struct worker {
	struct mqworker_shared *shared;
	struct letter *request, *reply;
	struct outbox outbox;
};

static void tell(const struct mqworker_shared *shared,
		 enum mqserver_event event, pid_t client, unsigned int n)
{
	if (shared->options->on_event)
		shared->options->on_event(event, client, n,
					  shared->options->arg);
}

void mqworker_sweep(const struct mqworker_shared *shared)
{
	struct sweep_counts counts;
	unsigned int n;

	/* When it fails the queue is gone, which the workers find out. */
	if (sweep_dead(shared->queue, &shared->here, &counts))
		return;
	n = counts.replies + counts.others;
	if (n)
		tell(shared, MQSERVER_COLLECTED, 0, n);
}

/* ---- replies ---- */

static int post(struct worker *worker, size_t text_bytes)
{
	const struct mqworker_shared *shared = worker->shared;
	int rc = letter_send(shared->queue, worker->reply, text_bytes);

	if (rc != -EAGAIN)
		return rc;
	mqworker_sweep(shared);
	rc = letter_send(shared->queue, worker->reply, text_bytes);
	if (rc != -EAGAIN)
		return rc;
	if (outbox_add(&worker->outbox, worker->reply, text_bytes))
		tell(shared, MQSERVER_DROPPED, worker->reply->head.client, 1);
	return 0;
}

/* Answer one request. Returns 0, or -errno when the queue is gone. */
static int serve(struct worker *worker, size_t text_bytes)
{
	const struct mqserver_options *options = worker->shared->options;
	const struct letter_head *head = &worker->request->head;
	size_t reply_max =
		(size_t)head->units * LETTER_UNIT - sizeof(struct letter_head);
	ssize_t n;

	if (letter_is_over(head, &worker->shared->here)) {
		tell(worker->shared, MQSERVER_EXPIRED, head->client, 1);
		return 0;
	}
	if (worker->outbox.n &&
	    letter_client_is_dead(head, &worker->shared->here))
		return 0;
	if (reply_max > worker->shared->text_max)
		reply_max = worker->shared->text_max;
	n = options->answer(worker->request->text, text_bytes,
			    worker->reply->text, reply_max, options->arg);
	worker->reply->type = letter_type(head, worker->shared->here.pid);
	worker->reply->head = *head;
	worker->reply->head.status = n < 0 ? (int32_t)n : 0;
	return post(worker, n < 0 ? 0 : (size_t)n);
}

/* ---- requests ---- */

/* Send what waits. Returns the flags for receiving: not to sleep as long as
 * something is left. */
static int flush(struct worker *worker)
{
	unsigned int expired = 0;
	int rc = 0;

	if (worker->outbox.n)
		rc = outbox_flush(&worker->outbox, worker->shared->queue,
				  &worker->shared->here, &expired);
	if (expired)
		tell(worker->shared, MQSERVER_EXPIRED, 0, expired);
	return rc == -EAGAIN ? IPC_NOWAIT : 0;
}

/* Take one request and serve it. Returns 0, or -errno when that was the last. */
static int take_one(struct worker *worker)
{
	const struct mqworker_shared *shared = worker->shared;
	ssize_t n =
		letter_receive(shared->queue, LETTER_REQUEST, worker->request,
			       shared->text_max, flush(worker));

	switch (n) {
	case -ENODATA: /* the keeper rang */
	case -EINTR:
		return 0;
	case -EBADMSG:
		tell(shared, MQSERVER_GARBAGE, 0, 1);
		return 0;
	case -ENOMSG: /* full of replies that nobody fetches, and no requests */
		mqworker_sweep(shared);
		tick_sleep_until(tick_after(TICK_MS));
		return 0;
	default:
		return n < 0 ? (int)n : serve(worker, (size_t)n);
	}
}

static void fail(struct mqworker_shared *shared, int error)
{
	const uint64_t one = 1;
	int none = 0;
	ssize_t n;

	atomic_compare_exchange_strong(&shared->error, &none, error);
	n = write(shared->event_fd, &one, sizeof(one));
	(void)n; /* fails only when it is full, which is as good */
}

void *mqworker_run(void *arg)
{
	struct mqworker_shared *shared = arg;
	struct worker worker = {
		.shared = shared,
		.request = letter_new(shared->text_max),
		.reply = letter_new(shared->text_max),
		.outbox = OUTBOX_EMPTY,
	};
	int rc = worker.request && worker.reply ? 0 : -ENOMEM;

	while (rc == 0 && !atomic_load(&shared->is_stopping))
		rc = take_one(&worker);
	if (rc)
		fail(shared, rc);
	if (worker.outbox.n)
		tell(shared, MQSERVER_DROPPED, 0,
		     (unsigned int)worker.outbox.n);
	outbox_clear(&worker.outbox);
	free(worker.request);
	free(worker.reply);
	return NULL;
}
