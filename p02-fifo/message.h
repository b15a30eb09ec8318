/* message.h - what client and server say to each other, in one frame each.
 *
 * A request travels through a FIFO that any number of clients write to, so
 * the whole frame must fit PIPE_BUF: then one write(2) is never mixed with
 * another's (POSIX write(), UNP2 4.11). Both messages carry a nonce that the
 * client drew at its start, and the number of the request: an answer to
 * somebody who had this process id before is recognised. Byte order and sizes
 * are those of this machine. Pure functions.
 */
#ifndef UNIXIPC_P02_FIFO_MESSAGE_H
#define UNIXIPC_P02_FIFO_MESSAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/frame.h"
#include "p02-fifo/expr.h"

enum message_type { MESSAGE_REQUEST = 1, MESSAGE_REPLY = 2 };

/* Raised whenever a struct below changes. */
#define MESSAGE_VERSION UINT32_C(1)

struct message_head {
	uint32_t version;
	uint32_t checksum; /* of all that follows it */
	uint64_t nonce;
	uint64_t number; /* of the request, from 1 */
};
_Static_assert(sizeof(struct message_head) == 24, "the format");

struct message_request {
	struct message_head head;
	int32_t pid;  /* the answer goes to the reply FIFO of that number, */
	uint32_t uid; /* which must belong to this user */
	char expression[];
};
_Static_assert(sizeof(struct message_request) == 32, "the format");

struct message_reply {
	struct message_head head;
	uint32_t error; /* enum expr_error */
	uint32_t unused;
	int64_t value; /* the result, or the column of the error */
};
_Static_assert(sizeof(struct message_reply) == 40, "the format");

/* Bytes of an expression that one request can hold. */
#define MESSAGE_EXPRESSION_MAX \
	(FRAME_ATOMIC_MAX - sizeof(struct message_request))

/* Put a request for text together in room bytes (FRAME_ATOMIC_MAX are enough).
 * head.version and head.checksum are filled in. Returns its size, or -EMSGSIZE
 * when the text is longer than MESSAGE_EXPRESSION_MAX. */
ssize_t message_pack_request(const struct message_request *request,
			     const char *text, void *buf, size_t room);

/* Fill in version and checksum. */
void message_seal_reply(struct message_reply *reply);

/* Take a payload of size bytes apart. The text, which must not hold a NUL,
 * is copied to expression with one behind it. Returns 0 or -EBADMSG. */
int message_parse_request(const void *payload, size_t size,
			  struct message_request *request,
			  char expression[MESSAGE_EXPRESSION_MAX + 1]);
int message_parse_reply(const void *payload, size_t size,
			struct message_reply *reply);

#endif
