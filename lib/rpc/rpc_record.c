/* rpc_record.c - the bytes that have come lie in one buffer. Each is looked at
 * once, as it comes: a mark is taken out, and what it marks moved down to what
 * is there of its record, which for a record in one fragment is no move. So a
 * record costs its bytes, however it was cut and however slowly it came. */
#include "lib/rpc/rpc_record.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/fdio.h"
#include "lib/rpc/rpc_message.h"
#include "lib/tick.h"

enum {
	/* Beyond the largest record, so that what comes behind it need not be
	 * asked for separately. */
	SLACK = 1024,
};

void rpc_record_mark(uint8_t *mark, size_t bytes)
{
	rpc_message_put32(mark, RPC_RECORD_LAST | (uint32_t)bytes);
}

/* ---- what is there ---- */

void rpc_record_init(struct rpc_record_reader *reader, int fd, size_t max_bytes,
		     int64_t record_ns)
{
	*reader = (struct rpc_record_reader){
		.fd = fd,
		.record_ns = record_ns,
		.until = TICK_NEVER,
		.max_bytes = max_bytes,
	};
	rpc_buffer_init(&reader->buffer, max_bytes + SLACK);
}

void rpc_record_fini(struct rpc_record_reader *reader)
{
	rpc_buffer_fini(&reader->buffer);
	reader->start = reader->whole = reader->at = reader->end = 0;
	reader->marks = reader->left = 0;
	reader->has_begun = reader->is_last = false;
	reader->whole_until = 0;
}

/* Returns 0, -EAGAIN when it has not come, or why it is refused. */
static int take_mark(struct rpc_record_reader *reader)
{
	size_t bytes = reader->whole - reader->start, len;
	uint32_t mark;

	if (reader->end - reader->at < RPC_RECORD_MARK)
		return -EAGAIN;
	mark = rpc_message_get32(reader->buffer.bytes + reader->at);
	len = mark & ~RPC_RECORD_LAST;
	reader->marks += RPC_RECORD_MARK;
	if (len > reader->max_bytes - bytes)
		return -EMSGSIZE;
	if (reader->marks > RPC_RECORD_OVERHEAD + bytes)
		return -EBADMSG;
	reader->at += RPC_RECORD_MARK;
	if (bytes == 0)
		reader->start = reader->whole = reader->at;
	reader->left = len;
	reader->is_last = mark & RPC_RECORD_LAST;
	reader->has_begun = true;
	return 0;
}

/* As much of the fragment as there is. */
static void take_bytes(struct rpc_record_reader *reader)
{
	uint8_t *bytes = reader->buffer.bytes;
	size_t n = reader->end - reader->at;

	if (n > reader->left)
		n = reader->left;
	if (n > 0 && reader->whole != reader->at)
		memmove(bytes + reader->whole, bytes + reader->at, n);
	reader->whole += n;
	reader->at += n;
	reader->left -= n;
}

ssize_t rpc_record_next(struct rpc_record_reader *reader, uint8_t **record)
{
	ssize_t n;
	int rc;

	for (;;) {
		take_bytes(reader);
		if (reader->left > 0)
			return -EAGAIN;
		if (reader->is_last)
			break;
		rc = take_mark(reader);
		if (rc)
			return rc;
	}
	n = (ssize_t)(reader->whole - reader->start);
	*record = reader->buffer.bytes + reader->start;
	reader->start = reader->whole = reader->at;
	reader->marks = 0;
	reader->has_begun = reader->is_last = false;
	reader->whole_until = 0;
	return n;
}

bool rpc_record_is_partial(const struct rpc_record_reader *reader)
{
	return reader->has_begun || reader->at < reader->end;
}

/* Move to the front what is there. */
static void pull_up(struct rpc_record_reader *reader)
{
	uint8_t *bytes = reader->buffer.bytes;
	size_t whole = reader->whole - reader->start;
	size_t rest = reader->end - reader->at;

	if (whole > 0 && reader->start > 0)
		memmove(bytes, bytes + reader->start, whole);
	if (rest > 0 && reader->at != whole)
		memmove(bytes + whole, bytes + reader->at, rest);
	reader->start = 0;
	reader->whole = reader->at = whole;
	reader->end = whole + rest;
}

int rpc_record_room(struct rpc_record_reader *reader, uint8_t **to,
		    size_t *room)
{
	struct rpc_buffer *buffer = &reader->buffer;
	int rc;

	pull_up(reader);
	if (reader->end == 0)
		rpc_buffer_relax(buffer, 0);
	rc = rpc_buffer_reserve(buffer, reader->end + 1);
	if (rc)
		return rc;
	*to = buffer->bytes + reader->end;
	*room = buffer->size - reader->end;
	return 0;
}

void rpc_record_add(struct rpc_record_reader *reader, size_t n)
{
	reader->end += n;
}

/* ---- reading ---- */

/* The first bytes of a record: the socket's own timeout holds. */
static ssize_t receive_first(const struct rpc_record_reader *reader,
			     uint8_t *to, size_t room)
{
	ssize_t n = recv(reader->fd, to, room, 0);

	if (n == 0)
		return -EPIPE;
	return n < 0 ? -errno : n;
}

static ssize_t receive_more(struct rpc_record_reader *reader, uint8_t *to,
			    size_t room)
{
	ssize_t n;

	if (reader->whole_until == 0)
		reader->whole_until = tick_after(reader->record_ns);
	n = fdio_read_some(reader->fd, to, room,
			   reader->whole_until < reader->until
				   ? reader->whole_until
				   : reader->until);
	return n == 0 ? -ECONNRESET : n;
}

ssize_t rpc_record_receive(struct rpc_record_reader *reader)
{
	uint8_t *to;
	size_t room;
	ssize_t n;
	int rc = rpc_record_room(reader, &to, &room);

	if (rc)
		return rc;
	n = rpc_record_is_partial(reader) ? receive_more(reader, to, room)
					  : receive_first(reader, to, room);
	if (n > 0)
		rpc_record_add(reader, (size_t)n);
	return n;
}

ssize_t rpc_record_read(struct rpc_record_reader *reader, uint8_t **record)
{
	ssize_t n;

	while ((n = rpc_record_next(reader, record)) == -EAGAIN) {
		n = rpc_record_receive(reader);
		if (n < 0)
			return n;
	}
	return n;
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
