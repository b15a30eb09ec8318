/* Any bytes, as what a reader finds in its buffer (frame_scan) and on its
 * descriptor (frame_recv). Besides not crashing the two must agree: what the
 * one finds, the other receives. Seeds: tests/fuzz/lib_frame_fuzz. */
#include "lib/frame.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"

enum {
	HEADER = sizeof(struct frame_header),
	ROOM = 4096,
	PIPE_ROOM = 65536, /* what a pipe takes without a reader */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int is_true)
{
	if (!is_true)
		abort();
}

/* Receive the frames at the front of data, and stop at the first failure; how
 * many bytes they had. */
static size_t receive_all(const uint8_t *data, size_t size)
{
	char payload[ROOM];
	size_t total = 0;
	uint32_t type;
	ssize_t n;
	int fds[2];

	must(fdio_pipe(fds) == 0);
	must(fdio_write_full(fds[1], data, size) == 0);
	fdio_close(&fds[1]);
	while ((n = frame_recv(fds[0], &type, payload, ROOM, 0)) >= 0) {
		must((size_t)n <= ROOM);
		must(total + HEADER + (size_t)n <= size);
		must(!memcmp(payload, data + total + HEADER, (size_t)n));
		total += HEADER + (size_t)n;
	}
	must(n == -EPIPE || n == -EBADMSG || n == -EMSGSIZE);
	must((n == -EPIPE) == (total == size));
	fdio_close(&fds[0]);
	return total;
}

/* What is found in all of data must not depend on how much came at once. */
static void scan_in_two_parts(const uint8_t *data, size_t size, size_t first,
			      size_t skip)
{
	struct frame_header header;
	size_t part_skip;

	if (frame_scan(data, first, ROOM, &part_skip, &header) == 1)
		must(part_skip == skip);
	else
		must(part_skip <= skip && part_skip <= first);
	must(size >= first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 0, in_front = 0;
	struct frame_header header;
	size_t skip;

	if (size > PIPE_ROOM)
		size = PIPE_ROOM;
	while (frame_scan(data + at, size - at, ROOM, &skip, &header) == 1) {
		const struct frame_header again =
			frame_header_make(header.type, header.length);

		must(!memcmp(&header, &again, HEADER));
		must(skip + HEADER + header.length <= size - at);
		scan_in_two_parts(data + at, size - at, (size - at) / 2, skip);
		if (skip == 0 && in_front == at)
			in_front += HEADER + header.length;
		at += skip + HEADER + header.length;
	}
	must(skip <= size - at);
	must(receive_all(data, size) == in_front);
	return 0;
}
