/* rpc_stream.h - a connection that sends and receives records, each by a
 * deadline.
 *
 * Records are put into a queue, and leave from there when the peer takes them;
 * those that come lie in one buffer. Nothing here knows what is in them. A
 * reader of one record at a time costs one system call to send and one to
 * receive; many records that were put together, or came together, cost the
 * same. No signal is raised. One thread at a time.
 *
 * The bytes go through recv(2) and send(2), or, for TLS (RFC 9289), through a
 * layer that the caller gives once the socket is connected. */
#ifndef UNIXIPC_LIB_RPC_RPC_STREAM_H
#define UNIXIPC_LIB_RPC_RPC_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/rpc/rpc_buffer.h"
#include "lib/rpc/rpc_layer.h"
#include "lib/rpc/rpc_record.h"
#include "lib/rpc/rpc_socket.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rpc_stream {
	struct rpc_socket socket;
	struct rpc_layer layer; /* all zero: none */
	struct rpc_record_reader in;
	struct rpc_buffer out;
	size_t out_start, out_end; /* of what has not been sent */
	/* All bytes that were ever put, and of those the ones that left: a
	 * record was sent when n_sent has come to what n_put was after it. */
	uint64_t n_put, n_sent;
};

/* Not connected. max_out_bytes is what the queue may hold. */
void rpc_stream_init(struct rpc_stream *stream, size_t max_record_bytes,
		     size_t max_out_bytes);

/* Returns as rpc_socket_connect_stream(). */
int rpc_stream_connect(struct rpc_stream *stream,
		       const struct rpc_address *address, int64_t deadline);

/* All that comes and goes passes through layer from now on. */
void rpc_stream_set_layer(struct rpc_stream *stream,
			  const struct rpc_layer *layer);

bool rpc_stream_is_open(const struct rpc_stream *stream);

/* Whether the peer has closed meanwhile. What has come is not lost. */
bool rpc_stream_is_gone(const struct rpc_stream *stream);

/* Room for a record of n bytes at the end of the queue, valid until the next
 * call; NULL when there is none. It is sent once rpc_stream_put() says how long
 * it has become. */
uint8_t *rpc_stream_reserve(struct rpc_stream *stream, size_t n);
void rpc_stream_put(struct rpc_stream *stream, size_t n);

/* Whether there is something left to send. */
bool rpc_stream_has_output(const struct rpc_stream *stream);

/* Send what is in the queue, as far as the peer takes it, without waiting.
 * Returns 0 (it may be that something is left) or -errno: the stream is of no
 * use. */
int rpc_stream_flush(struct rpc_stream *stream);

/* Have more bytes come, until the deadline; one that has passed means "try".
 * While something is left to send, that goes on meanwhile. Returns 0,
 * -ETIMEDOUT, -EINTR (a signal handler ran; nothing is lost), -EPIPE (the peer
 * has closed, between two records), -ECONNRESET (within one) or another
 * -errno: after all but the first three the stream is of no use. */
int rpc_stream_fill(struct rpc_stream *stream, int64_t deadline);

/* The next record that has come whole. Returns its length and *record, in the
 * stream's memory and valid until the next rpc_stream_fill(); -EAGAIN when
 * more has to come; -EMSGSIZE or -EBADMSG: the stream is of no use. */
ssize_t rpc_stream_next(struct rpc_stream *stream, uint8_t **record);

/* Close, if it is open, and forget what was to be sent. It may be connected
 * again. */
void rpc_stream_close(struct rpc_stream *stream);

/* That, and give the memory back. */
void rpc_stream_fini(struct rpc_stream *stream);

#ifdef __cplusplus
}
#endif

#endif
