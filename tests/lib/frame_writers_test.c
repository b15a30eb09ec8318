/* Several processes write frames of all small lengths into one pipe. */
#include "lib/frame.h"

#include "tests/support/support.h"

#include <errno.h>
#include <string.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/rng.h"
#include "lib/tick.h"

enum { WRITERS = 4, FRAMES = 2000 };

static const int64_t LONG = 20 * TICK_S;

static int fds[2];

struct numbered {
	uint32_t writer, number;
	unsigned char fill[FRAME_ATOMIC_MAX - 8];
};

/* Frames of every length, each filled with a byte that its number gives. */
static int write_frames(void *arg)
{
	struct numbered frame = {.writer = *(uint32_t *)arg};
	struct rng rng;

	rng_seed(&rng, frame.writer);
	for (; frame.number < FRAMES; frame.number++) {
		size_t fill = rng_below(&rng, sizeof(frame.fill) + 1);

		memset(frame.fill, (int)(frame.number + frame.writer), fill);
		if (frame_send(fds[1], 3, &frame, 8 + fill, tick_after(LONG)))
			return 1;
	}
	return 0;
}

static void frames_of_several_writers_do_not_mix(void **state)
{
	uint32_t numbers[WRITERS], next[WRITERS] = {0}, type;
	pid_t pids[WRITERS];
	struct numbered frame;
	ssize_t n;

	(void)state;
	assert_int_equal(fdio_pipe(fds), 0);
	for (uint32_t i = 0; i < WRITERS; i++) {
		numbers[i] = i;
		assert_int_equal(
			child_fork(write_frames, &numbers[i], &pids[i]), 0);
	}
	fdio_close(&fds[1]);
	while ((n = frame_recv(fds[0], &type, &frame, sizeof(frame),
			       tick_after(LONG))) >= 0) {
		assert_in_range(n, 8, sizeof(frame));
		assert_in_range(frame.writer, 0, WRITERS - 1);
		assert_int_equal(frame.number, next[frame.writer]++);
		for (ssize_t i = 0; i < n - 8; i++)
			assert_int_equal(frame.fill[i],
					 (frame.number + frame.writer) & 255);
	}
	assert_int_equal(n, -EPIPE);
	fdio_close(&fds[0]);
	for (int i = 0; i < WRITERS; i++) {
		int status;

		assert_int_equal(next[i], FRAMES);
		assert_int_equal(child_wait(pids[i], tick_after(LONG), &status),
				 0);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_of_several_writers_do_not_mix),
	};

	return SUPPORT_MAIN(tests);
}
