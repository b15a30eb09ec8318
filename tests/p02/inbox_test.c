/* Messages and frames among garbage: p02-fifo/message.h and inbox.h. */
#include "p02-fifo/inbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/rng.h"
#include "lib/tick.h"
#include "p02-fifo/message.h"
#include "tests/support/support.h"

struct fixture {
	int ends[2];
	struct inbox *inbox;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->inbox = malloc(sizeof(*f->inbox));
	assert_non_null(f->inbox);
	assert_int_equal(fdio_pipe(f->ends), 0);
	assert_int_equal(fdio_set_nonblock(f->ends[0], true), 0);
	inbox_init(f->inbox, f->ends[0]);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	fdio_close(&f->ends[0]);
	fdio_close(&f->ends[1]);
	free(f->inbox);
	free(f);
	return 0;
}

static size_t pack(const char *text, void *buf)
{
	const struct message_request request = {
		.head = {.nonce = 7, .number = 1},
		.pid = 42,
		.uid = 1000,
	};

	return (size_t)message_pack_request(&request, text, buf,
					    FRAME_ATOMIC_MAX);
}

static void put(struct fixture *f, const void *bytes, size_t n)
{
	assert_int_equal(fdio_write_full(f->ends[1], bytes, n), 0);
}

static void put_request(struct fixture *f, const char *text)
{
	unsigned char payload[FRAME_ATOMIC_MAX];

	assert_int_equal(frame_send(f->ends[1], MESSAGE_REQUEST, payload,
				    pack(text, payload), TICK_NEVER),
			 0);
}

/* The expression of the next request, or NULL. */
static const char *next(struct fixture *f)
{
	static char text[MESSAGE_EXPRESSION_MAX + 1];
	struct message_request request;
	const void *payload;
	uint32_t type;
	ssize_t size;

	do {
		while ((size = inbox_next(f->inbox, &type, &payload)) >= 0) {
			if (message_parse_request(payload, (size_t)size,
						  &request, text) == 0)
				return text;
			inbox_reject(f->inbox, payload);
		}
	} while (inbox_fill(f->inbox) > 0);
	return NULL;
}

static void requests_come_out_as_they_went_in(void **state)
{
	put_request(*state, "1+1");
	put_request(*state, "");
	put_request(*state, "2+2");
	assert_string_equal(next(*state), "1+1");
	assert_string_equal(next(*state), "");
	assert_string_equal(next(*state), "2+2");
	assert_null(next(*state));
}

static void the_longest_expression_fits_and_no_longer_one(void **state)
{
	char text[MESSAGE_EXPRESSION_MAX + 2];
	unsigned char payload[FRAME_ATOMIC_MAX];
	struct message_request request = {.pid = 1};

	memset(text, '1', sizeof(text));
	text[MESSAGE_EXPRESSION_MAX] = '\0';
	put_request(*state, text);
	assert_string_equal(next(*state), text);
	text[MESSAGE_EXPRESSION_MAX] = '1';
	text[MESSAGE_EXPRESSION_MAX + 1] = '\0';
	assert_int_equal(
		message_pack_request(&request, text, payload, sizeof(payload)),
		-EMSGSIZE);
}

static void requests_among_garbage_are_found(void **state)
{
	put(*state, "garbage", 7);
	put_request(*state, "1+1");
	put(*state, "UFRM more garbage UFR", 21);
	put_request(*state, "2+2");
	assert_string_equal(next(*state), "1+1");
	assert_string_equal(next(*state), "2+2");
	assert_null(next(*state));
}

static void half_a_frame_does_not_swallow_the_next(void **state)
{
	struct frame_header header = frame_header_make(MESSAGE_REQUEST, 4000);

	put(*state, &header, sizeof(header));
	put(*state, "only this", 9);
	put_request(*state, "1+1");
	assert_string_equal(next(*state), "1+1");
	/* It is given up when the FIFO is empty, not kept for later. */
	put(*state, &header, sizeof(header));
	assert_null(next(*state));
	put_request(*state, "2+2");
	assert_string_equal(next(*state), "2+2");
}

static void a_header_that_spans_others_frames_does_not_swallow_them(
	void **state)
{
	struct frame_header header = frame_header_make(MESSAGE_REQUEST, 200);

	put(*state, &header, sizeof(header));
	for (int i = 0; i < 20; i++)
		put_request(*state, "1+1");
	for (int i = 0; i < 20; i++)
		assert_string_equal(next(*state), "1+1");
	assert_null(next(*state));
}

/* A frame lies where the inbox is full, and comes with the next read. */
static void a_frame_beyond_one_read_is_not_given_up(void **state)
{
	const int requests = 1500;
	struct fixture *f = *state;

	assert_true(fcntl(f->ends[1], F_SETPIPE_SZ, 1 << 18) > 0);
	for (int i = 0; i < requests; i++)
		put_request(f, "1+1");
	for (int i = 0; i < requests; i++)
		assert_string_equal(next(f), "1+1");
	assert_null(next(f));
	assert_int_equal(f->inbox->skipped, 0);
}

static void absurd_lengths_are_garbage(void **state)
{
	struct frame_header header = frame_header_make(1, FRAME_MAX);

	put(*state, &header, sizeof(header));
	header.length = UINT32_MAX;
	put(*state, &header, sizeof(header));
	put_request(*state, "1+1");
	assert_string_equal(next(*state), "1+1");
}

static void a_changed_byte_makes_it_no_request(void **state)
{
	unsigned char good[FRAME_ATOMIC_MAX], bad[FRAME_ATOMIC_MAX];
	char text[MESSAGE_EXPRESSION_MAX + 1];
	struct message_request request;
	size_t size = pack("5 + 3", good);

	(void)state;
	assert_int_equal(message_parse_request(good, size, &request, text), 0);
	assert_int_equal(request.pid, 42);
	for (size_t i = 0; i < size; i++) {
		memcpy(bad, good, size);
		bad[i] ^= 0x10;
		assert_int_equal(
			message_parse_request(bad, size, &request, text),
			-EBADMSG);
	}
	for (size_t n = 0; n < size; n++)
		assert_int_equal(message_parse_request(good, n, &request, text),
				 -EBADMSG);
}

static void a_request_without_a_pid_is_none(void **state)
{
	char text[MESSAGE_EXPRESSION_MAX + 1];
	unsigned char payload[FRAME_ATOMIC_MAX];

	(void)state;
	for (int32_t pid = -1; pid <= 1; pid++) {
		struct message_request request = {.pid = pid};
		ssize_t n = message_pack_request(&request, "1", payload,
						 sizeof(payload));

		assert_int_equal(message_parse_request(payload, (size_t)n,
						       &request, text),
				 pid > 0 ? 0 : -EBADMSG);
	}
}

/* The checksum is computed alike for all messages of this size. */
static void a_nul_in_an_expression_makes_it_no_request(void **state)
{
	struct message_request request = {.pid = 1};
	char text[MESSAGE_EXPRESSION_MAX + 1];
	union {
		struct message_reply reply;
		unsigned char bytes[sizeof(struct message_reply)];
	} payload;

	(void)state;
	assert_int_equal(message_pack_request(&request, "12345678", &payload,
					      sizeof(payload)),
			 sizeof(payload));
	message_seal_reply(&payload.reply);
	assert_int_equal(message_parse_request(&payload, sizeof(payload),
					       &request, text),
			 0);
	payload.bytes[sizeof(payload) - 4] = '\0';
	message_seal_reply(&payload.reply);
	assert_int_equal(message_parse_request(&payload, sizeof(payload),
					       &request, text),
			 -EBADMSG);
}

static void a_request_that_does_not_fit_is_not_packed(void **state)
{
	struct message_request request = {.pid = 1};
	unsigned char payload[sizeof(request) + 3];

	(void)state;
	assert_int_equal(
		message_pack_request(&request, "1+1", payload, sizeof(payload)),
		sizeof(payload));
	assert_int_equal(message_pack_request(&request, "1+1", payload,
					      sizeof(payload) - 1),
			 -EMSGSIZE);
}

static void a_reply_with_an_unknown_error_is_none(void **state)
{
	struct message_reply reply = {.error = EXPR_ERRORS - 1}, got;

	(void)state;
	message_seal_reply(&reply);
	assert_int_equal(message_parse_reply(&reply, sizeof(reply), &got), 0);
	reply.error = EXPR_ERRORS;
	message_seal_reply(&reply);
	assert_int_equal(message_parse_reply(&reply, sizeof(reply), &got),
			 -EBADMSG);
}

static void random_bytes_never_hide_what_follows(void **state)
{
	struct fixture *f = *state;
	unsigned char noise[300];
	struct rng rng;

	rng_seed(&rng, 2);
	for (int i = 0; i < 2000; i++) {
		size_t n = rng_below(&rng, sizeof(noise));
		char wanted[32];

		rng_fill(&rng, noise, n);
		put(f, noise, n);
		snprintf(wanted, sizeof(wanted), "%d", i);
		put_request(f, wanted);
		assert_string_equal(next(f), wanted);
	}
	assert_null(next(f));
}

static void end_of_file_is_told(void **state)
{
	struct fixture *f = *state;

	fdio_close(&f->ends[1]);
	assert_int_equal(inbox_fill(f->inbox), -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			requests_come_out_as_they_went_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_longest_expression_fits_and_no_longer_one, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			requests_among_garbage_are_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			half_a_frame_does_not_swallow_the_next, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_header_that_spans_others_frames_does_not_swallow_them,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(absurd_lengths_are_garbage,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_changed_byte_makes_it_no_request, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_frame_beyond_one_read_is_not_given_up, set_up,
			tear_down),
		cmocka_unit_test(a_request_without_a_pid_is_none),
		cmocka_unit_test(a_nul_in_an_expression_makes_it_no_request),
		cmocka_unit_test(a_request_that_does_not_fit_is_not_packed),
		cmocka_unit_test(a_reply_with_an_unknown_error_is_none),
		cmocka_unit_test_setup_teardown(
			random_bytes_never_hide_what_follows, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(end_of_file_is_told, set_up,
						tear_down),
	};

	return SUPPORT_MAIN(tests);
}
