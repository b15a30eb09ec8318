/* mqserver.h - serve the requests in a System V message queue.
 *
 * Worker threads take requests (type 1) and put replies (type: the client)
 * into the same queue. No worker ever waits to send: room for each reply is
 * reserved by its client, and where that does not hold, because clients were
 * killed, the reply waits in the worker's outbox and the worker goes on.
 */
#ifndef UNIXIPC_P05_SYSV_MQ_MQSERVER_H
#define UNIXIPC_P05_SYSV_MQ_MQSERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/types.h>

#include "p05-sysv-mq/sweep.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
	MQSERVER_WORKERS_MAX = 64,
	MQSERVER_TEXT_MIN = 256, /* less room for a message is an error */
};

/* What is worth a line in a log; workers call at the same time. */
enum mqserver_event {
	MQSERVER_GARBAGE,   /* something of type 1 that was no request */
	MQSERVER_EXPIRED,   /* client: it gave up before we came to it; 0: the
			     * clients of n replies that waited for room */
	MQSERVER_DROPPED,   /* client: no room for its reply; 0: n replies had
			     * none until the end */
	MQSERVER_COLLECTED, /* n messages for clients that are dead */
};

struct mqserver_options {
	key_t key;
	uint64_t identity; /* gate_key(), or GATE_NO_FILE */
	int mode;          /* of queue and set; 0666 lets all users ask */
	int workers;
	int64_t sweep_ns; /* how often to look for the dead */
	/* Write the answer to text into reply; its length, at most reply_max,
	 * or -errno. Workers call it at the same time. */
	ssize_t (*answer)(const char *text, size_t text_bytes, char *reply,
			  size_t reply_max, void *arg);
	/* NULL: nobody listens. */
	void (*on_event)(enum mqserver_event event, pid_t client,
			 unsigned int n, void *arg);
	void *arg;
};

/* What a dead server had left under the key, and is gone now. */
struct mqserver_found {
	bool was_there;
	int queue, gate; /* ids; -1: there was none */
	struct sweep_counts purged;
};

struct mqserver; /* opaque */

/* Take the key: make queue and gate, after removing a dead server's. Clients
 * that still wait there are told by the removal. Returns 0 or
 *	-EADDRINUSE	a server lives
 *	-EPERM		a dead server's of another user: nothing was touched
 *	-EXDEV		gate or
 *	-ENOTUNIQ	queue under this key are not ours: see gate_take()
 *	-EMSGSIZE	kernel.msgmax or kernel.msgmnb is too low
 *	-ENOSPC		kernel.msgmni (a queue) or kernel.sem (a set)
 *	-EACCES, -ENOMEM, -ETIMEDOUT */
int mqserver_create(struct mqserver **out,
		    const struct mqserver_options *options,
		    struct mqserver_found *found);

int mqserver_queue(const struct mqserver *server);
int mqserver_gate(const struct mqserver *server);

/* Serve until stop_fd (-1: none) is readable. From the process that created it:
 * a forked child holds no semaphore. Requests in hand are finished.
 * Returns 0 then, or why it cannot go on: -EIDRM when somebody removed the
 * queue, or removed or reset the gate, which is looked at once a second. */
int mqserver_run(struct mqserver *server, int stop_fd);

/* Remove queue and gate. NULL is allowed. */
void mqserver_remove(struct mqserver *server);

/* Leave both behind, as a killed server does. */
void mqserver_abandon(struct mqserver *server);

#ifdef __cplusplus
}
#endif

#endif
