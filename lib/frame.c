/* frame.c - the header and the start of the payload leave together.
 *
 * One PIPE_BUF-sized buffer on the stack holds the header and as much payload
 * as fits, so that a small frame is a single write and a large one needs no
 * copy beyond its first page. Once a byte of a frame has moved, interruptions
 * are waited out: half a frame is worth nothing to either side.
 */
#include "lib/frame.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/fdio.h"
#include "lib/tick.h"

/* The finalizer of splitmix64 spreads each bit of the header over the check
 * word. Against accidents, not against forgers. */
static uint32_t check_of(const struct frame_header *header)
{
	uint64_t x = (uint64_t)header->type << 32 | header->length;

	x ^= header->magic;
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(x ^ x >> 31);
}

static bool is_sound(const struct frame_header *header)
{
	return header->magic == FRAME_MAGIC && header->length <= FRAME_MAX &&
	       header->check == check_of(header);
}

struct frame_header frame_header_make(uint32_t type, uint32_t length)
{
	struct frame_header header = {
		.magic = FRAME_MAGIC,
		.type = type,
		.length = length,
	};

	header.check = check_of(&header);
	return header;
}

/* What a failed transfer means to the stream: nothing when it stopped between
 * two frames, its end when it stopped within one. */
static int stopped(int error, bool within)
{
	return within && error == -ETIMEDOUT ? -EBADMSG : error;
}

/* Write all of it; *within: whether bytes of this frame are out already. One
 * try is always made, also past the deadline: what is ready costs no time. */
static int write_part(int fd, const void *buf, size_t len, int64_t deadline,
		      bool *within)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = fdio_write_some(fd, (const char *)buf + done,
					    len - done, deadline);

		if (n == -EINTR && *within)
			continue;
		if (n <= 0)
			return n ? stopped((int)n, *within) : -EIO;
		done += (size_t)n;
		*within = true;
		if (done < len && tick_is_over(deadline))
			return -EBADMSG;
	}
	return 0;
}

static int read_part(int fd, void *buf, size_t len, int64_t deadline,
		     bool *within)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = fdio_read_some(fd, (char *)buf + done, len - done,
					   deadline);

		if (n == -EINTR && *within)
			continue;
		if (n == 0)
			return *within ? -EBADMSG : -EPIPE;
		if (n < 0)
			return stopped((int)n, *within);
		done += (size_t)n;
		*within = true;
		if (done < len && tick_is_over(deadline))
			return -EBADMSG;
	}
	return 0;
}

int frame_send(int fd, uint32_t type, const void *payload, size_t length,
	       int64_t deadline)
{
	struct frame_header header;
	unsigned char first[PIPE_BUF];
	size_t head;
	bool within = false;
	int rc;

	if (length > FRAME_MAX)
		return -EMSGSIZE;
	header = frame_header_make(type, (uint32_t)length);
	head = length < FRAME_ATOMIC_MAX ? length : FRAME_ATOMIC_MAX;
	memcpy(first, &header, sizeof(header));
	if (head)
		memcpy(first + sizeof(header), payload, head);
	rc = write_part(fd, first, sizeof(header) + head, deadline, &within);
	if (rc || head == length)
		return rc;
	return write_part(fd, (const char *)payload + head, length - head,
			  deadline, &within);
}

ssize_t frame_recv(int fd, uint32_t *type, void *payload, size_t room,
		   int64_t deadline)
{
	struct frame_header header;
	bool within = false;
	int rc;

	rc = read_part(fd, &header, sizeof(header), deadline, &within);
	if (rc)
		return rc;
	if (!is_sound(&header))
		return -EBADMSG;
	if (header.length > room)
		return -EMSGSIZE;
	rc = read_part(fd, payload, header.length, deadline, &within);
	if (rc)
		return rc;
	*type = header.type;
	return (ssize_t)header.length;
}

/* Where in the last bytes a header may begin that has not arrived whole. */
static size_t find_tail(const unsigned char *bytes, size_t from, size_t len)
{
	const uint32_t magic = FRAME_MAGIC;

	for (; from < len; from++) {
		size_t have = len - from;

		if (have > sizeof(magic))
			have = sizeof(magic);
		if (!memcmp(bytes + from, &magic, have))
			break;
	}
	return from;
}

int frame_scan(const void *buf, size_t len, size_t max, size_t *skip,
	       struct frame_header *header)
{
	const unsigned char *bytes = buf, *at;
	const uint32_t magic = FRAME_MAGIC;
	size_t from = 0;

	while (len - from >= sizeof(*header)) {
		at = memmem(bytes + from, len - from, &magic, sizeof(magic));
		if (!at) {
			from = len - sizeof(magic) + 1;
			break;
		}
		from = (size_t)(at - bytes);
		if (len - from < sizeof(*header))
			break;
		memcpy(header, at, sizeof(*header));
		if (is_sound(header) && header->length <= max) {
			*skip = from;
			return len - from - sizeof(*header) >= header->length;
		}
		from++;
	}
	*skip = find_tail(bytes, from, len);
	return 0;
}
