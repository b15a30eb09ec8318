/* rpc_record.h - messages on a stream: record marking, RFC 5531 section 11.
 *
 * A record is a number of fragments, each with four bytes before it: the top
 * bit says "the last one", the rest how long it is. Nothing of that is
 * trusted: a record has a maximum size, whatever the marks say, and a maximum
 * number of fragments, so that a peer cannot keep us busy with empty ones. A
 * mark that would break the limit is refused when it is read, not when the
 * bytes have come.
 *
 * The socket blocks, and its SO_RCVTIMEO is how long the first byte of a
 * record may take (the caller sets it, and again only when it changes). A
 * record that comes whole costs one recv(2). One that does not must be there
 * within record_ns of its first byte, whatever the pace of its bytes. */
#ifndef UNIXIPC_LIB_RPC_RPC_RECORD_H
#define UNIXIPC_LIB_RPC_RPC_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/rpc/rpc_buffer.h"

enum {
	RPC_RECORD_MARK = 4,        /* bytes before each fragment */
	RPC_RECORD_FRAGMENTS = 256, /* of one record, at most */
};

#define RPC_RECORD_LAST 0x80000000u

/* One stream, one thread. */
struct rpc_record_reader {
	int fd; /* the caller's */
	int64_t record_ns;
	int64_t until;    /* and not later than this moment; TICK_NEVER */
	size_t max_bytes; /* of a record, without marks */
	struct rpc_buffer buffer;
	size_t start; /* of what has been received and not been looked at */
	size_t end;
};

void rpc_record_init(struct rpc_record_reader *reader, int fd, size_t max_bytes,
		     int64_t record_ns);
void rpc_record_fini(struct rpc_record_reader *reader);

/* The next record. Returns its length, which may be 0, and *record, in the
 * reader's own memory and valid until the next call (the caller may write
 * into it), or
 *	-EAGAIN		no first byte within SO_RCVTIMEO
 *	-EPIPE		the peer has closed, between two records
 *	-ECONNRESET	it has closed within one, or was reset
 *	-ETIMEDOUT	the record did not get whole within record_ns
 *	-EMSGSIZE	larger than max_bytes
 *	-EBADMSG	too many fragments
 *	-EINTR		a signal handler ran: ask again
 *	-ENOMEM, or another -errno of recv(2).
 * After all but -EAGAIN and -EINTR the stream is of no use any more. */
ssize_t rpc_record_read(struct rpc_record_reader *reader, uint8_t **record);

/* The same of bytes that are there already: whether stream begins with a
 * whole record. Returns how many bytes of it the record takes with its marks,
 * having moved its fragments together to stream + RPC_RECORD_MARK, and
 * *record_bytes; 0 when more is needed (nothing was moved); -EMSGSIZE or
 * -EBADMSG. */
ssize_t rpc_record_scan(uint8_t *stream, size_t bytes, size_t max_bytes,
			size_t *record_bytes);

/* Write the mark of a record in one fragment of bytes bytes to mark[0 … 3]. */
void rpc_record_mark(uint8_t *mark, size_t bytes);

/* Send bytes, mark included, within write_ns: by one send(2) where there is
 * room, never with SIGPIPE. Returns 0, -ETIMEDOUT (the peer does not read;
 * the stream is of no use any more) or -errno. */
int rpc_record_send(int fd, const uint8_t *bytes, size_t n, int64_t write_ns);

#endif
