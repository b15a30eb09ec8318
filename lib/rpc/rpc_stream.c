/* rpc_stream.c - what has come is the record reader's; what is to be sent lies
 * in a buffer with a start and an end. */
#include "lib/rpc/rpc_stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/fdio.h"
#include "lib/rpc/rpc_record.h"
#include "lib/tick.h"

/* ---- life ---- */

void rpc_stream_init(struct rpc_stream *stream, size_t max_record_bytes,
		     size_t max_out_bytes)
{
	*stream = (struct rpc_stream){
		.socket = {.fd = -1},
	};
	rpc_record_init(&stream->in, -1, max_record_bytes, TICK_NEVER);
	rpc_buffer_init(&stream->out, max_out_bytes);
}

int rpc_stream_connect(struct rpc_stream *stream,
		       const struct rpc_address *address, int64_t deadline)
{
	rpc_stream_close(stream);
	return rpc_socket_connect_stream(&stream->socket, address, deadline);
}

void rpc_stream_set_layer(struct rpc_stream *stream,
			  const struct rpc_layer *layer)
{
	stream->layer = *layer;
}

bool rpc_stream_is_open(const struct rpc_stream *stream)
{
	return stream->socket.fd >= 0;
}

/* A peer sends nothing unasked, so what is there to be read is a late reply. */
bool rpc_stream_is_gone(const struct rpc_stream *stream)
{
	char byte;
	ssize_t n = recv(stream->socket.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

void rpc_stream_close(struct rpc_stream *stream)
{
	if (stream->layer.close && rpc_stream_is_open(stream))
		stream->layer.close(stream->layer.state);
	rpc_socket_close(&stream->socket);
	stream->layer = (struct rpc_layer){0};
	rpc_record_fini(&stream->in);
	stream->out_start = stream->out_end = 0;
	stream->n_sent = stream->n_put;
	rpc_buffer_relax(&stream->out, 0);
}

void rpc_stream_fini(struct rpc_stream *stream)
{
	rpc_stream_close(stream);
	rpc_buffer_fini(&stream->out);
}

/* ---- sending ---- */

uint8_t *rpc_stream_reserve(struct rpc_stream *stream, size_t n)
{
	struct rpc_buffer *out = &stream->out;
	size_t left = stream->out_end - stream->out_start;

	if (stream->out_start > 0 && left > 0)
		memmove(out->bytes, out->bytes + stream->out_start, left);
	stream->out_start = 0;
	stream->out_end = left;
	if (rpc_buffer_reserve(out, left + RPC_RECORD_MARK + n))
		return NULL;
	return out->bytes + left + RPC_RECORD_MARK;
}

void rpc_stream_put(struct rpc_stream *stream, size_t n)
{
	rpc_record_mark(stream->out.bytes + stream->out_end, n);
	stream->out_end += RPC_RECORD_MARK + n;
	stream->n_put += RPC_RECORD_MARK + n;
}

bool rpc_stream_has_output(const struct rpc_stream *stream)
{
	return stream->out_end > stream->out_start;
}

static ssize_t write_some(struct rpc_stream *stream)
{
	const uint8_t *from = stream->out.bytes + stream->out_start;
	size_t left = stream->out_end - stream->out_start;
	ssize_t n;

	if (stream->layer.write)
		return stream->layer.write(stream->layer.state,
					   stream->socket.fd, from, left);
	n = send(stream->socket.fd, from, left, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

int rpc_stream_flush(struct rpc_stream *stream)
{
	ssize_t n;

	while (rpc_stream_has_output(stream)) {
		n = write_some(stream);
		if (n == -EINTR)
			continue;
		if (n < 0)
			return n == -EAGAIN ? 0 : (int)n;
		stream->out_start += (size_t)n;
		stream->n_sent += (uint64_t)n;
	}
	stream->out_start = stream->out_end = 0;
	rpc_buffer_relax(&stream->out, 0);
	return 0;
}

/* ---- receiving ---- */

static ssize_t read_some(struct rpc_stream *stream, int64_t deadline)
{
	uint8_t *to;
	size_t room;
	ssize_t n;
	int rc = rpc_record_room(&stream->in, &to, &room);

	if (rc)
		return rc;
	if (!stream->layer.read)
		return rpc_socket_receive(&stream->socket, to, room, deadline);
	for (;;) {
		n = stream->layer.read(stream->layer.state, stream->socket.fd,
				       to, room);
		if (n != -EAGAIN)
			return n;
		rc = fdio_wait(stream->socket.fd, POLLIN, deadline);
		if (rc < 0)
			return rc;
	}
}

/* Until there is something to read, send. A peer that takes nothing before its
 * own bytes are taken does not hold us up. */
static int send_meanwhile(struct rpc_stream *stream, int64_t deadline)
{
	int rc = 0;

	while (rpc_stream_has_output(stream)) {
		rc = rpc_stream_flush(stream);
		if (rc || !rpc_stream_has_output(stream))
			return rc;
		rc = fdio_wait(stream->socket.fd, POLLIN | POLLOUT, deadline);
		if (rc < 0)
			return rc;
		if (rc & POLLIN)
			return 0;
	}
	return rc;
}

int rpc_stream_fill(struct rpc_stream *stream, int64_t deadline)
{
	ssize_t n = send_meanwhile(stream, deadline);

	if (n)
		return (int)n;
	n = read_some(stream, deadline);
	if (n == 0)
		return rpc_record_is_partial(&stream->in) ? -ECONNRESET
							  : -EPIPE;
	if (n < 0)
		return (int)n;
	rpc_record_add(&stream->in, (size_t)n);
	return 0;
}

ssize_t rpc_stream_next(struct rpc_stream *stream, uint8_t **record)
{
	return rpc_record_next(&stream->in, record);
}
