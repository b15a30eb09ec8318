/* letter.h - requests and replies as messages of one System V queue. What is in
 * the queue is a message; a letter is a message in the format of this chapter.
 *
 * The kernel routes by the type in front of each message: requests have type
 * 1, a reply has the thread id of the client that asked (the pid, in a
 * process of one thread), beyond all ids and with its PID namespace in it when
 * that is not the server's. An empty message means nothing but "look around":
 * it ends somebody's wait in msgrcv(2), and needs no room in a full queue.
 *
 * Thread ids are used again, so a type alone proves nothing: each letter
 * carries the start time and the namespaces of the client's thread, a random
 * number that the client drew, and the number of the request; the reply brings
 * them back.
 * What arrives was written by somebody else, and is checked here.
 */
#ifndef UNIXIPC_P05_SYSV_MQ_LETTER_H
#define UNIXIPC_P05_SYSV_MQ_LETTER_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	LETTER_REQUEST = 1, /* the type of all requests */
	LETTER_UNIT = 64,   /* room in the queue is counted in these bytes */
};
#define LETTER_MAGIC 0x32515653u /* "SVQ2", the 2 being the version */

/* Somebody's namespaces, as far as a letter has to tell them from the server's:
 * inodes, 0: not known. Of these an equal one proves enough here: the server's
 * are in use as long as there is a queue to send to. */
struct letter_place {
	uint32_t pid, time;
};

/* The same in both directions: a reply is its request turned around. */
struct letter_head {
	uint32_t magic;
	int32_t status; /* of a reply: 0 or -errno */
	int32_t client; /* thread id */
	uint32_t units; /* of room that are reserved for this exchange */
	struct letter_place place; /* of the client */
	uint64_t start;   /* identity_start_time() of the client's thread */
	uint64_t nonce;   /* of the client */
	uint64_t number;  /* of the request */
	int64_t deadline; /* when the client gives up, or TICK_NEVER */
};
static_assert(sizeof(struct letter_head) == 56, "part of the protocol");

/* What msgsnd(2) and msgrcv(2) want: the type, then the message. */
struct letter {
	long type;
	struct letter_head head;
	char text[];
};
static_assert(offsetof(struct letter, head) == sizeof(long),
	      "msgsnd(2) sends what follows the type");

/* Memory for a letter with that many bytes of text, and for one byte more by
 * which letter_receive() knows a longer one; free(3) it. */
struct letter *letter_new(size_t text_max);

/* The caller's own. */
struct letter_place letter_place_here(void);

/* Where a client reads its replies, by what of it is in each of its letters, and
 * the server's PID namespace. Thread 1 would read requests (it may well be a
 * client: in a container), so it gets a number that no thread has. */
long letter_type(const struct letter_head *head, uint32_t server_namespace);

/* Whether the client has certainly ended; it is judged only from its own
 * namespaces, here. */
bool letter_client_is_dead(const struct letter_head *head,
			   const struct letter_place *here);

/* Whether the client has given up by now: clocks of another time namespace are
 * not compared, and there it has not. */
bool letter_is_over(const struct letter_head *head,
		    const struct letter_place *here);

/* Units of room for a message with so much text. */
uint32_t letter_units(size_t text_bytes);

/* Put a letter into the queue, without waiting: -EAGAIN when it is full,
 * -EIDRM when there is no such queue any more, -EACCES. The text must not be
 * longer than letter_text_max() says. */
int letter_send(int queue, const struct letter *letter, size_t text_bytes);

/* Put an empty message into the queue. Returns as letter_send(). */
int letter_ring(int queue, long type);

/* Take the first letter of that type, waiting for it without limit (another
 * thread or process may ring). The letter is from letter_new(), text_max at
 * most what was asked for there. flags: IPC_NOWAIT. Returns the bytes of text,
 * or
 *	-ENODATA	an empty message came
 *	-EBADMSG	something came, and is gone, that was no letter or had
 *			more text than text_max
 *	-ENOMSG		IPC_NOWAIT, and there is nothing
 *	-EIDRM		the queue was removed, also while we waited
 *	-EINTR		a signal handler ran
 *	-EACCES		*/
ssize_t letter_receive(int queue, long type, struct letter *letter,
		       size_t text_max, int flags);

/* 0 if len bytes after the type may be a letter, else -EBADMSG. */
int letter_check(const struct letter_head *head, size_t len);

/* The longest text that fits into a message (kernel.msgmax) and into half of
 * this queue (kernel.msgmnb). Returns it, or -errno. */
ssize_t letter_text_max(int queue);

#ifdef __cplusplus
}
#endif

#endif
