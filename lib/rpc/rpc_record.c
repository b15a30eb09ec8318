/* rpc_record.c - the bytes that have come lie in one buffer, from start to
 * end. A record is looked for in them each time that more have come, and only
 * when all of it is there are its fragments moved together, over the marks
 * between them. */
#include "lib/rpc/rpc_record.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/fdio.h"
#include "lib/rpc/rpc_call.h"
#include "lib/tick.h"

/* ---- marks ---- */

/* Walk over the marks. Returns the bytes of the whole record with its marks, 0
 * when more is needed, or -errno. */
static ssize_t measure(const uint8_t *stream, size_t bytes, size_t max_bytes,
		       size_t *record_bytes)
{
	size_t at = 0, total = 0;
	uint32_t mark, len;

	for (int n = 0; n < RPC_RECORD_FRAGMENTS; n++) {
		if (bytes - at < RPC_RECORD_MARK)
			return 0;
		mark = rpc_call_get32(stream + at);
		len = mark & ~RPC_RECORD_LAST;
		if (len > max_bytes - total)
			return -EMSGSIZE;
		at += RPC_RECORD_MARK;
		total += len;
		if (len > bytes - at)
			return 0;
		at += len;
		if (mark & RPC_RECORD_LAST) {
			*record_bytes = total;
			return (ssize_t)at;
		}
	}
	return -EBADMSG;
}

ssize_t rpc_record_scan(uint8_t *stream, size_t bytes, size_t max_bytes,
			size_t *record_bytes)
{
	ssize_t n = measure(stream, bytes, max_bytes, record_bytes);
	size_t from = 0, to = RPC_RECORD_MARK, len;

	if (n <= 0 || *record_bytes + RPC_RECORD_MARK == (size_t)n)
		return n;
	while (from < (size_t)n) {
		len = rpc_call_get32(stream + from) & ~RPC_RECORD_LAST;
		from += RPC_RECORD_MARK;
		memmove(stream + to, stream + from, len);
		from += len;
		to += len;
	}
	return n;
}

void rpc_record_mark(uint8_t *mark, size_t bytes)
{
	rpc_call_put32(mark, RPC_RECORD_LAST | (uint32_t)bytes);
}

/* ---- reading ---- */

void rpc_record_init(struct rpc_record_reader *reader, int fd, size_t max_bytes,
		     int64_t record_ns)
{
	*reader = (struct rpc_record_reader){
		.fd = fd,
		.record_ns = record_ns,
		.until = TICK_NEVER,
		.max_bytes = max_bytes,
	};
	rpc_buffer_init(&reader->buffer,
			max_bytes + RPC_RECORD_FRAGMENTS * RPC_RECORD_MARK);
}

void rpc_record_fini(struct rpc_record_reader *reader)
{
	rpc_buffer_fini(&reader->buffer);
	reader->start = reader->end = 0;
}

/* Have room for more, behind what is there. */
static int make_room(struct rpc_record_reader *reader)
{
	struct rpc_buffer *buffer = &reader->buffer;
	size_t left = reader->end - reader->start;

	if (reader->start > 0 && left > 0)
		memmove(buffer->bytes, buffer->bytes + reader->start, left);
	reader->start = 0;
	reader->end = left;
	if (left == 0)
		rpc_buffer_relax(buffer, 0);
	return rpc_buffer_reserve(buffer, left + 1);
}

/* The first bytes of a record: the socket's own timeout holds. */
static ssize_t receive_first(struct rpc_record_reader *reader)
{
	ssize_t n =
		recv(reader->fd, reader->buffer.bytes, reader->buffer.size, 0);

	if (n == 0)
		return -EPIPE;
	return n < 0 ? -errno : n;
}

static ssize_t receive_more(struct rpc_record_reader *reader, int64_t deadline)
{
	ssize_t n =
		fdio_read_some(reader->fd, reader->buffer.bytes + reader->end,
			       reader->buffer.size - reader->end, deadline);

	return n == 0 ? -ECONNRESET : n;
}

static ssize_t find_record(struct rpc_record_reader *reader,
			   size_t *record_bytes)
{
	if (reader->start == reader->end)
		return 0;
	return rpc_record_scan(reader->buffer.bytes + reader->start,
			       reader->end - reader->start, reader->max_bytes,
			       record_bytes);
}

ssize_t rpc_record_read(struct rpc_record_reader *reader, uint8_t **record)
{
	int64_t deadline = 0;
	size_t record_bytes = 0;
	ssize_t n;
	int rc;

	while ((n = find_record(reader, &record_bytes)) == 0) {
		rc = make_room(reader);
		if (rc)
			return rc;
		if (reader->end == 0) {
			n = receive_first(reader);
		} else {
			if (deadline == 0)
				deadline = tick_after(reader->record_ns);
			if (deadline > reader->until)
				deadline = reader->until;
			n = receive_more(reader, deadline);
		}
		if (n < 0)
			return n;
		reader->end += (size_t)n;
	}
	if (n < 0)
		return n;
	*record = reader->buffer.bytes + reader->start + RPC_RECORD_MARK;
	reader->start += (size_t)n;
	return (ssize_t)record_bytes;
}

/* ---- writing ---- */

int rpc_record_send(int fd, const uint8_t *bytes, size_t n, int64_t write_ns)
{
	int64_t deadline = 0;
	ssize_t sent;
	int rc;

	while (n > 0) {
		sent = send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno != EAGAIN)
			return -errno;
		if (sent > 0) {
			bytes += sent;
			n -= (size_t)sent;
			continue;
		}
		if (deadline == 0)
			deadline = tick_after(write_ns);
		rc = fdio_wait(fd, POLLOUT, deadline);
		if (rc < 0)
			return rc;
	}
	return 0;
}
