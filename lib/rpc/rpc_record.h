/* rpc_record.h - messages on a stream: record marking, RFC 5531 section 11.
 *
 * A record is a number of fragments, each with four bytes before it: the top
 * bit says "the last one", the rest how long it is. Nothing of that is
 * trusted: a record has a maximum size, whatever the marks say. Fragments may
 * be as many and as small as a client likes, but their marks may take no more
 * bytes than what they mark and RPC_RECORD_OVERHEAD, so that empty ones end. A
 * mark that would break a limit is refused when it is read, not when the
 * bytes have come, and marks are not kept: a record takes the memory of its
 * bytes.
 *
 * The first functions move no bytes themselves, for callers who wait for
 * many streams at once; rpc_record_read() is made of them, for those who wait
 * for one. The socket then blocks, and its SO_RCVTIMEO is how long the first
 * byte of a record may take (the caller sets it, and again only when it
 * changes). A record that comes whole costs one recv(2). One that does not
 * must be there within record_ns of its first byte, whatever the pace of its
 * bytes. */
#ifndef UNIXIPC_LIB_RPC_RPC_RECORD_H
#define UNIXIPC_LIB_RPC_RPC_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/rpc/rpc_buffer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
	RPC_RECORD_MARK = 4,        /* bytes before each fragment */
	RPC_RECORD_OVERHEAD = 4096, /* of marks that mark nothing */
};

#define RPC_RECORD_LAST 0x80000000u

/* One stream, one thread. */
struct rpc_record_reader {
	int fd; /* the caller's; only for rpc_record_read() */
	int64_t record_ns;
	int64_t until;    /* and not later than this moment; TICK_NEVER */
	size_t max_bytes; /* of a record, without marks */
	struct rpc_buffer buffer;
	/* Of the record that is coming lies in the buffer, without its marks,
	 * what is from start to whole; from at to end what came behind. */
	size_t start, whole, at, end;
	size_t marks;        /* bytes of them so far */
	size_t left;         /* of the fragment that is coming */
	bool has_begun;      /* a mark of the record was seen */
	bool is_last;        /* and that fragment is its last */
	int64_t whole_until; /* of a record that has begun; 0: none */
};

void rpc_record_init(struct rpc_record_reader *reader, int fd, size_t max_bytes,
		     int64_t record_ns);

/* Forget what has come, and free its memory. The reader can be used again. */
void rpc_record_fini(struct rpc_record_reader *reader);

/* Where bytes of the stream can be put, *room of them, at least 1. Returns 0,
 * -ENOBUFS (the budget of the buffer is used up: later, perhaps) or -ENOMEM.
 * What rpc_record_next() gave is no longer valid. */
int rpc_record_room(struct rpc_record_reader *reader, uint8_t **to,
		    size_t *room);

/* So many have been put there. */
void rpc_record_add(struct rpc_record_reader *reader, size_t n);

/* The next record of what is there. Returns its length, which may be 0, and
 * *record, in the reader's own memory and valid until the next
 * rpc_record_room() (the caller may write into it), or
 *	-EAGAIN		more bytes are needed
 *	-EMSGSIZE	larger than max_bytes
 *	-EBADMSG	too many fragments with too little in them
 * The last two are for good. */
ssize_t rpc_record_next(struct rpc_record_reader *reader, uint8_t **record);

/* Whether part of a record is there. */
bool rpc_record_is_partial(const struct rpc_record_reader *reader);

/* Wait for bytes, once. Returns how many came, or
 *	-EAGAIN		no first byte within SO_RCVTIMEO
 *	-EPIPE		the peer has closed, between two records
 *	-ECONNRESET	it has closed within one, or was reset
 *	-ETIMEDOUT	the record did not get whole within record_ns
 *	-EINTR		a signal handler ran: ask again
 *	-ENOBUFS	the budget is used up: ask again, the time goes on
 *	-ENOMEM, or another -errno of recv(2).
 * After all but -EAGAIN, -EINTR and -ENOBUFS the stream is of no use any
 * more. */
ssize_t rpc_record_receive(struct rpc_record_reader *reader);

/* The next record, waiting for it: both in turn, and what they return. */
ssize_t rpc_record_read(struct rpc_record_reader *reader, uint8_t **record);

/* Write the mark of a record in one fragment of bytes bytes to mark[0 … 3]. */
void rpc_record_mark(uint8_t *mark, size_t bytes);

/* Send bytes, mark included, within write_ns: by one send(2) where there is
 * room, never with SIGPIPE. Returns 0, -ETIMEDOUT (the peer does not read;
 * the stream is of no use any more) or -errno. */
int rpc_record_send(int fd, const uint8_t *bytes, size_t n, int64_t write_ns);

#ifdef __cplusplus
}
#endif

#endif
