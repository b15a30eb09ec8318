/* mqclient.c - reserve, send, wait, give back.
 *
 * What is reserved belongs to an exchange and is given back when its reply has
 * left the queue, so that of an exchange we gave up stays reserved: its reply
 * may still come, and is known by its number. `held` is all of it.
 */
#include "p05-sysv-mq/mqclient.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/identity.h"
#include "lib/tick.h"
#include "p05-sysv-mq/doorbell.h"
#include "p05-sysv-mq/gate.h"
#include "p05-sysv-mq/letter.h"

struct mqclient {
	int gate, queue;
	long type;
	size_t text_max;
	uint32_t held;         /* units */
	struct letter_head me; /* with the number of the last request */
	struct letter *letter; /* what is sent or received */
	struct doorbell *doorbell;
};

/* ---- opening ---- */

static int introduce(struct mqclient *client, const struct gate_server *server)
{
	pid_t thread = gettid();

	client->me = (struct letter_head){
		.magic = LETTER_MAGIC,
		.client = thread,
		.place = letter_place_here(),
		.start = identity_start_time(thread),
	};
	if (getrandom(&client->me.nonce, sizeof(client->me.nonce), 0) !=
	    sizeof(client->me.nonce))
		return -EIO;
	client->type = letter_type(&client->me, server->pid_namespace);
	return 0;
}

/* Read away what lies there for our type: for a thread that had our id before
 * us, or too late for us. */
static void drain(struct mqclient *client)
{
	ssize_t n;

	do {
		n = letter_receive(client->queue, client->type, client->letter,
				   client->text_max, IPC_NOWAIT);
	} while (n >= 0 || n == -ENODATA || n == -EBADMSG);
}

/* The queue beside the set: a key can have one of another user. */
static int find_queue(key_t key, uid_t owner)
{
	struct msqid_ds status;
	int queue = msgget(key, 0);

	if (queue < 0)
		return -errno;
	if (msgctl(queue, IPC_STAT, &status) < 0)
		return errno == EINVAL ? -EIDRM : -errno;
	return gate_trusts(&status.msg_perm, owner) ? queue : -EPERM;
}

static int connect_to(struct mqclient *client, key_t key, uint64_t identity,
		      uid_t owner)
{
	struct gate_server server = {.pid = 0};
	ssize_t text_max;
	int rc;

	/* In this order: whoever takes over removes the queue, then the set. So
	 * the queue is at least as new as the set, and the set is the judge. */
	client->gate = gate_find(key, identity, owner, &server);
	if (client->gate < 0)
		return client->gate;
	client->queue = find_queue(key, owner);
	if (client->queue < 0)
		return client->queue;
	text_max = letter_text_max(client->queue);
	if (text_max < 0)
		return (int)text_max;
	client->text_max = (size_t)text_max;
	client->letter = letter_new(client->text_max);
	if (!client->letter)
		return -ENOMEM;
	rc = introduce(client, &server);
	if (rc)
		return rc;
	drain(client);
	rc = doorbell_open(&client->doorbell, client->queue, client->type,
			   client->gate, server.pid);
	if (rc)
		return rc;
	/* From here on its end is seen; but was it there when we began? */
	return gate_is_served(client->gate) ? 0 : -ENOENT;
}

int mqclient_open(struct mqclient **out, key_t key, uint64_t identity,
		  uid_t owner)
{
	struct mqclient *client = calloc(1, sizeof(*client));
	int rc;

	*out = NULL;
	if (!client)
		return -ENOMEM;
	rc = connect_to(client, key, identity, owner);
	if (rc) {
		doorbell_close(client->doorbell);
		free(client->letter);
		free(client);
		return rc;
	}
	*out = client;
	return 0;
}

size_t mqclient_text_max(const struct mqclient *client)
{
	return client->text_max;
}

long mqclient_type(const struct mqclient *client)
{
	return client->type;
}

/* ---- room ---- */

/* By steps, for room does not come when the server has ended, and the doorbell
 * rings in the queue alone. */
static int reserve(struct mqclient *client, uint32_t units, int64_t deadline)
{
	int64_t step;
	int rc;

	do {
		if (doorbell_server_is_gone(client->doorbell))
			return -EPIPE;
		step = tick_after(50 * TICK_MS);
		rc = gate_reserve(client->gate, units,
				  step < deadline ? step : deadline);
	} while (rc == -ETIMEDOUT && !tick_is_over(deadline));
	if (rc == 0)
		client->held += units;
	return rc;
}

static void give_back(struct mqclient *client, uint32_t units)
{
	if (units > client->held)
		units = client->held;
	/* Fails only when the set is gone, and all reservations with it. */
	if (units && gate_release(client->gate, units) == 0)
		client->held -= units;
}

/* ---- sending ---- */

/* There is room for us, unless the requests of clients that were killed still
 * fill it. Nobody wakes us when they are gone, so look again every ms. */
static int send_soon(struct mqclient *client, size_t text_bytes,
		     int64_t deadline)
{
	int rc;

	while ((rc = letter_send(client->queue, client->letter, text_bytes)) ==
	       -EAGAIN) {
		if (doorbell_server_is_gone(client->doorbell))
			return -EPIPE;
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
		rc = tick_sleep_until(tick_after(TICK_MS));
		if (rc)
			return rc;
	}
	return rc;
}

int mqclient_send(struct mqclient *client, const void *text, size_t text_bytes,
		  size_t reply_max, int64_t deadline)
{
	size_t larger = text_bytes > reply_max ? text_bytes : reply_max;
	int rc;

	if (larger > client->text_max)
		return -EMSGSIZE;
	client->me.units = letter_units(larger);
	rc = reserve(client, client->me.units, deadline);
	if (rc)
		return rc;
	client->me.number++;
	client->me.deadline = deadline;
	client->letter->type = LETTER_REQUEST;
	client->letter->head = client->me;
	if (text_bytes > 0) /* else it may be NULL, which memcpy(3) may not */
		memcpy(client->letter->text, text, text_bytes);
	rc = send_soon(client, text_bytes, deadline);
	if (rc)
		give_back(client, client->me.units);
	return rc;
}

/* ---- waiting ---- */

/* What a letter of our type is about. Returns the length of the reply that we
 * wait for, -errno from the server, or -EAGAIN for any other letter. */
static ssize_t read_reply(struct mqclient *client, size_t text_bytes,
			  void *reply, size_t reply_max)
{
	const struct letter_head *head = &client->letter->head;

	if (head->nonce != client->me.nonce)
		return -EAGAIN; /* for another, whose id we have now */
	give_back(client, head->units);
	if (head->number != client->me.number)
		return -EAGAIN; /* of a request that we gave up */
	if (head->status)
		return head->status < 0 ? head->status : -EBADMSG;
	if (text_bytes > reply_max)
		return -EMSGSIZE;
	if (text_bytes > 0)
		memcpy(reply, client->letter->text, text_bytes);
	return (ssize_t)text_bytes;
}

/* Take one letter. -EAGAIN: it was not ours, or only the doorbell. */
static ssize_t take_letter(struct mqclient *client, void *reply,
			   size_t reply_max, int flags)
{
	ssize_t n = letter_receive(client->queue, client->type, client->letter,
				   client->text_max, flags);

	if (n == -ENODATA || n == -EBADMSG)
		return -EAGAIN;
	return n < 0 ? n : read_reply(client, (size_t)n, reply, reply_max);
}

/* The wait is over: but the reply may have come just before. */
static ssize_t take_last(struct mqclient *client, void *reply, size_t reply_max,
			 int why)
{
	ssize_t n;

	do
		n = take_letter(client, reply, reply_max, IPC_NOWAIT);
	while (n == -EAGAIN);
	return n == -ENOMSG ? why : n;
}

ssize_t mqclient_wait(struct mqclient *client, void *reply, size_t reply_max,
		      int64_t deadline)
{
	ssize_t n;

	doorbell_at(client->doorbell, deadline);
	do {
		if (doorbell_server_is_gone(client->doorbell))
			n = take_last(client, reply, reply_max, -EPIPE);
		else if (tick_is_over(deadline))
			n = take_last(client, reply, reply_max, -ETIMEDOUT);
		else
			n = take_letter(client, reply, reply_max, 0);
	} while (n == -EAGAIN);
	doorbell_at(client->doorbell, TICK_NEVER);
	return n;
}

ssize_t mqclient_ask(struct mqclient *client, const void *text,
		     size_t text_bytes, void *reply, size_t reply_max,
		     int64_t deadline)
{
	int rc = mqclient_send(client, text, text_bytes, reply_max, deadline);

	return rc ? rc : mqclient_wait(client, reply, reply_max, deadline);
}

void mqclient_close(struct mqclient *client)
{
	if (!client)
		return;
	doorbell_close(client->doorbell);
	drain(client);
	give_back(client, client->held);
	free(client->letter);
	free(client);
}
