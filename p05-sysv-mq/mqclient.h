/* mqclient.h - ask the server of a System V message queue.
 *
 * A client belongs to the thread that opened it, and a thread has one at most:
 * the thread's id is the type of its replies. Every wait ends at a deadline,
 * and at once when the server ends or the queue is removed. A client that is
 * killed leaves nothing that the server does not collect.
 */
#ifndef UNIXIPC_P05_SYSV_MQ_MQCLIENT_H
#define UNIXIPC_P05_SYSV_MQ_MQCLIENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mqclient; /* opaque */

/* Find the server of that key; identity as of gate_key(), or GATE_NO_FILE. Queue
 * and set must have been made by the caller's user, by root, or by owner
 * (GATE_NO_OTHER: by nobody else). Waits for nobody. Returns 0 or
 *	-ENOENT		there is no server, or a dead one's queue
 *	-EXDEV		the server's key was made from another file
 *	-ENOTUNIQ	the key is another program's
 *	-EPERM		or another user's
 *	-EACCES, -EIDRM (it went while we looked), -ENOMEM, ... */
int mqclient_open(struct mqclient **out, key_t key, uint64_t identity,
		  uid_t owner);

/* The longest request or reply, in bytes. */
size_t mqclient_text_max(const struct mqclient *client);

/* The type of this client's replies. */
long mqclient_type(const struct mqclient *client);

/* Send a request, as soon as there is room for it and for a reply of up to
 * reply_max bytes. One may be under way at a time. Returns 0 or
 *	-ETIMEDOUT	no room until the deadline
 *	-EPIPE		the server has ended; open another client
 *	-EIDRM		the queue was removed; open another client
 *	-EMSGSIZE	longer than mqclient_text_max()
 *	-EINTR, -EACCES */
int mqclient_send(struct mqclient *client, const void *text, size_t text_bytes,
		  size_t reply_max, int64_t deadline);

/* Wait for the reply to what was sent last. Returns its length, with the bytes
 * in reply, or as above; -ETIMEDOUT: a reply that comes later is dropped. What
 * the server could not do comes as its -errno, -EMSGSIZE if the reply did not
 * fit into reply_max. */
ssize_t mqclient_wait(struct mqclient *client, void *reply, size_t reply_max,
		      int64_t deadline);

/* Both. */
ssize_t mqclient_ask(struct mqclient *client, const void *text,
		     size_t text_bytes, void *reply, size_t reply_max,
		     int64_t deadline);

/* Give back what was reserved, and read what came too late. NULL is allowed. */
void mqclient_close(struct mqclient *client);

#ifdef __cplusplus
}
#endif

#endif
