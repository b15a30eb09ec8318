/* Sending and receiving; several senders are in frame_writers_test.c,
 * finding frames in a buffer in frame_scan_test.c. */
#include "lib/frame.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/rng.h"
#include "lib/tick.h"
#include "tests/support/interrupt.h"

enum { BIG = 300000, HEADER = sizeof(struct frame_header) };

static const int64_t SHORT = 30 * TICK_MS;
static const int64_t LONG = 20 * TICK_S;

static unsigned char pattern[BIG];
static int fds[2]; /* of the case: 0 reads, 1 writes */

static int open_pipe(void **state)
{
	struct rng rng;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	rng_seed(&rng, 1);
	rng_fill(&rng, pattern, sizeof(pattern));
	return fdio_pipe(fds);
}

static int close_pipe(void **state)
{
	(void)state;
	fdio_close(&fds[0]);
	fdio_close(&fds[1]);
	return 0;
}

static void *receive_big(void *arg)
{
	unsigned char *got = malloc(BIG);
	uint32_t type = 0;
	ssize_t n = frame_recv(fds[0], &type, got, BIG, tick_after(LONG));

	*(ssize_t *)arg = type == 7 ? n : -1;
	return got;
}

static void frame_arrives_as_it_was_sent(void **state)
{
	static const size_t lengths[] = {0, 1, FRAME_ATOMIC_MAX,
					 FRAME_ATOMIC_MAX + 1, BIG};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		pthread_t receiver;
		ssize_t n = 0;
		void *got;

		pthread_create(&receiver, NULL, receive_big, &n);
		assert_int_equal(frame_send(fds[1], 7, pattern, lengths[i],
					    tick_after(LONG)),
				 0);
		pthread_join(receiver, &got);
		assert_int_equal(n, lengths[i]);
		assert_memory_equal(got, pattern, lengths[i]);
		free(got);
	}
}

static void frame_without_payload_needs_no_room(void **state)
{
	uint32_t type = 0;

	(void)state;
	assert_int_equal(frame_send(fds[1], UINT32_MAX, NULL, 0, TICK_NEVER),
			 0);
	assert_int_equal(frame_recv(fds[0], &type, NULL, 0, TICK_NEVER), 0);
	assert_int_equal(type, UINT32_MAX);
}

/* A socket that keeps borders shows what went in by one call. */
static void small_frame_is_a_single_write(void **state)
{
	static const size_t lengths[] = {0, 1, FRAME_ATOMIC_MAX};
	char got[2 * PIPE_BUF];
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(
			frame_send(pair[1], 1, pattern, lengths[i], TICK_NEVER),
			0);
		assert_int_equal(recv(pair[0], got, sizeof(got), MSG_DONTWAIT),
				 HEADER + lengths[i]);
	}
	close(pair[0]);
	close(pair[1]);
}

static void end_of_file_between_frames_is_clean(void **state)
{
	uint32_t type;
	char got[4];

	(void)state;
	assert_int_equal(frame_send(fds[1], 1, "abcd", 4, TICK_NEVER), 0);
	fdio_close(&fds[1]);
	assert_int_equal(frame_recv(fds[0], &type, got, 4, TICK_NEVER), 4);
	assert_int_equal(frame_recv(fds[0], &type, got, 4, TICK_NEVER), -EPIPE);
}

static void end_of_file_within_a_frame_is_not(void **state)
{
	unsigned char whole[HEADER + 4];
	struct frame_header header = frame_header_make(1, 4);
	uint32_t type;

	(void)state;
	memcpy(whole, &header, HEADER);
	memset(whole + HEADER, 'x', 4);
	for (size_t len = 1; len < sizeof(whole); len++) {
		char got[4];

		close_pipe(NULL);
		assert_int_equal(fdio_pipe(fds), 0);
		assert_int_equal(fdio_write_full(fds[1], whole, len), 0);
		fdio_close(&fds[1]);
		assert_int_equal(frame_recv(fds[0], &type, got, 4, TICK_NEVER),
				 -EBADMSG);
	}
}

static int receive_header(const struct frame_header *header, size_t room)
{
	static char got[16];
	uint32_t type = 77;
	ssize_t n;

	close_pipe(NULL);
	assert_int_equal(fdio_pipe(fds), 0);
	assert_int_equal(fdio_write_full(fds[1], header, sizeof(*header)), 0);
	n = frame_recv(fds[0], &type, got, room, tick_after(SHORT));
	assert_int_equal(type, 77); /* untouched by failure */
	return (int)n;
}

static void header_with_any_bit_flipped_is_a_lie(void **state)
{
	(void)state;
	for (int bit = 0; bit < HEADER * 8; bit++) {
		struct frame_header header = frame_header_make(1, 4);

		((unsigned char *)&header)[bit / 8] ^=
			(unsigned char)(1 << bit % 8);
		assert_int_equal(receive_header(&header, 16), -EBADMSG);
	}
}

static void length_beyond_the_limit_is_refused(void **state)
{
	struct frame_header header = frame_header_make(1, FRAME_MAX + 1);

	(void)state;
	assert_int_equal(receive_header(&header, 16), -EBADMSG);
	header = frame_header_make(1, UINT32_MAX);
	assert_int_equal(receive_header(&header, 16), -EBADMSG);
	header = frame_header_make(1, 17);
	assert_int_equal(receive_header(&header, 16), -EMSGSIZE);
	assert_int_equal(frame_send(fds[1], 1, pattern, FRAME_MAX + 1,
				    tick_after(SHORT)),
			 -EMSGSIZE);
	assert_int_equal(fdio_wait(fds[0], POLLIN, 0), -ETIMEDOUT);
}

static void waiting_in_vain_loses_nothing(void **state)
{
	uint32_t type;
	char got[4];

	(void)state;
	assert_int_equal(frame_recv(fds[0], &type, got, 4, tick_after(SHORT)),
			 -ETIMEDOUT);
	interrupt_start();
	assert_int_equal(frame_recv(fds[0], &type, got, 4, TICK_NEVER), -EINTR);
	interrupt_stop();
	assert_int_equal(frame_send(fds[1], 1, "abcd", 4, TICK_NEVER), 0);
	assert_int_equal(frame_recv(fds[0], &type, got, 4, TICK_NEVER), 4);
	assert_memory_equal(got, "abcd", 4);
}

static void whole_frame_is_received_also_past_the_deadline(void **state)
{
	uint32_t type;
	char got[4];

	(void)state;
	assert_int_equal(frame_send(fds[1], 1, "abcd", 4, 0), 0);
	assert_int_equal(frame_recv(fds[0], &type, got, 4, 0), 4);
	assert_int_equal(frame_recv(fds[0], &type, got, 4, 0), -ETIMEDOUT);
}

static void deadline_within_a_frame_ends_the_stream(void **state)
{
	struct frame_header header = frame_header_make(1, 4);
	uint32_t type;
	char got[4];

	(void)state;
	assert_int_equal(fdio_write_full(fds[1], &header, HEADER / 2), 0);
	assert_int_equal(frame_recv(fds[0], &type, got, 4, tick_after(SHORT)),
			 -EBADMSG);
	assert_int_equal(receive_header(&header, 4), -EBADMSG);
	assert_int_equal(frame_send(fds[1], 1, pattern, BIG, tick_after(SHORT)),
			 -EBADMSG);
}

static int bytes_waiting(int fd)
{
	int n = -1;

	assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
	return n;
}

/* Room for 100 bytes is no room for a frame of 4096: nothing is written. */
static void small_frame_is_sent_whole_or_not_at_all(void **state)
{
	const size_t length = FRAME_ATOMIC_MAX;
	int sent = 0, rc;

	(void)state;
	do {
		rc = frame_send(fds[1], 1, pattern, length, tick_after(SHORT));
		sent += rc == 0;
	} while (rc == 0);
	assert_int_equal(rc, -ETIMEDOUT);
	assert_true(sent > 0);
	assert_int_equal(bytes_waiting(fds[0]), sent * PIPE_BUF);
	interrupt_start();
	assert_int_equal(frame_send(fds[1], 1, pattern, length, TICK_NEVER),
			 -EINTR);
	interrupt_stop();
	assert_int_equal(bytes_waiting(fds[0]), sent * PIPE_BUF);
}

static void send_to_nobody_is_epipe(void **state)
{
	(void)state;
	fdio_close(&fds[0]);
	assert_int_equal(frame_send(fds[1], 1, "abcd", 4, TICK_NEVER), -EPIPE);
	assert_int_equal(frame_send(fds[1], 1, pattern, BIG, TICK_NEVER),
			 -EPIPE);
}

static bool is_pipe_full(void *arg)
{
	struct pollfd pfd = {.fd = fds[1], .events = POLLOUT};

	(void)arg;
	return poll(&pfd, 1, 0) == 0;
}

/* Lets the sender wait in the middle of a frame, long enough for a few
 * interruptions; signals are for the sender alone. */
static void *receive_late(void *arg)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	if (!support_wait_until(is_pipe_full, NULL, 20000))
		return NULL;
	tick_sleep_until(tick_after(10 * TICK_MS));
	return receive_big(arg);
}

static void handlers_within_a_frame_do_not_stop_its_sender(void **state)
{
	pthread_t receiver;
	ssize_t n = 0;
	void *got;

	(void)state;
	pthread_create(&receiver, NULL, receive_late, &n);
	interrupt_start();
	assert_int_equal(frame_send(fds[1], 7, pattern, BIG, tick_after(LONG)),
			 0);
	interrupt_stop();
	pthread_join(receiver, &got);
	assert_non_null(got);
	assert_int_equal(n, BIG);
	assert_memory_equal(got, pattern, BIG);
	free(got);
}

static void *send_haltingly(void *arg)
{
	const struct frame_header header = frame_header_make(7, 4);
	sigset_t all;

	(void)arg;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	fdio_write_full(fds[1], &header, HEADER / 2);
	tick_sleep_until(tick_after(10 * TICK_MS));
	fdio_write_full(fds[1], (const char *)&header + HEADER / 2, HEADER / 2);
	tick_sleep_until(tick_after(10 * TICK_MS));
	fdio_write_full(fds[1], "abcd", 4);
	return NULL;
}

static void handlers_within_a_frame_do_not_stop_its_reader(void **state)
{
	pthread_t sender;
	uint32_t type;
	char got[4];

	(void)state;
	pthread_create(&sender, NULL, send_haltingly, NULL);
	assert_int_equal(fdio_wait(fds[0], POLLIN, tick_after(LONG)), POLLIN);
	interrupt_start();
	assert_int_equal(frame_recv(fds[0], &type, got, 4, tick_after(LONG)),
			 4);
	interrupt_stop();
	assert_memory_equal(got, "abcd", 4);
	pthread_join(sender, NULL);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_pipe, close_pipe)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(frame_arrives_as_it_was_sent),
		CASE(frame_without_payload_needs_no_room),
		CASE(small_frame_is_a_single_write),
		CASE(end_of_file_between_frames_is_clean),
		CASE(end_of_file_within_a_frame_is_not),
		CASE(header_with_any_bit_flipped_is_a_lie),
		CASE(length_beyond_the_limit_is_refused),
		CASE(waiting_in_vain_loses_nothing),
		CASE(whole_frame_is_received_also_past_the_deadline),
		CASE(deadline_within_a_frame_ends_the_stream),
		CASE(small_frame_is_sent_whole_or_not_at_all),
		CASE(send_to_nobody_is_epipe),
		CASE(handlers_within_a_frame_do_not_stop_its_sender),
		CASE(handlers_within_a_frame_do_not_stop_its_reader),
	};

	return SUPPORT_MAIN(tests);
}
