/* Record marking: what a stream may say, and what it may cost. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <errno.h>

#include "lib/rpc/rpc_message.h"
#include "lib/rpc/rpc_record.h"
#include "lib/tick.h"
#include "tests/support/support.h"

enum { MAX = 100000 };

struct pair {
	int near, far;
	struct rpc_record_reader reader; /* of near */
};

struct fragments {
	struct pair *pair;
	size_t bytes, n;
};

static int set_up(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));
	int fds[2];

	assert_non_null(pair);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	pair->near = fds[0];
	pair->far = fds[1];
	rpc_record_init(&pair->reader, pair->near, MAX, 60 * TICK_S);
	*state = pair;
	return 0;
}

static int tear_down(void **state)
{
	struct pair *pair = *state;

	rpc_record_fini(&pair->reader);
	close(pair->near);
	if (pair->far >= 0)
		close(pair->far);
	free(pair);
	return 0;
}

static void say(struct pair *pair, const void *bytes, size_t n)
{
	assert_int_equal(send(pair->far, bytes, n, MSG_NOSIGNAL), n);
}

static void say_mark(struct pair *pair, uint32_t mark)
{
	uint8_t bytes[4];

	rpc_message_put32(bytes, mark);
	say(pair, bytes, 4);
}

static void say_fragment(struct pair *pair, const char *text, uint32_t flag)
{
	say_mark(pair, flag | (uint32_t)strlen(text));
	say(pair, text, strlen(text));
}

static void hear(struct pair *pair, const char *text)
{
	uint8_t *record;

	assert_int_equal(rpc_record_read(&pair->reader, &record), strlen(text));
	assert_memory_equal(record, text, strlen(text));
}

static ssize_t hear_nothing(struct pair *pair)
{
	uint8_t *record;

	return rpc_record_read(&pair->reader, &record);
}

static void set_timeout(struct pair *pair, int ms)
{
	const struct timeval tv = {.tv_usec = ms * 1000};

	assert_int_equal(setsockopt(pair->near, SOL_SOCKET, SO_RCVTIMEO, &tv,
				    sizeof(tv)),
			 0);
}

/* ---- what is right ---- */

static void records_come_as_they_were_sent(void **state)
{
	say_fragment(*state, "one", RPC_RECORD_LAST);
	hear(*state, "one");
	say_fragment(*state, "two", RPC_RECORD_LAST);
	say_fragment(*state, "three", RPC_RECORD_LAST);
	hear(*state, "two");
	hear(*state, "three");
}

static void fragments_are_put_together(void **state)
{
	say_fragment(*state, "a rec", 0);
	say_fragment(*state, "", 0);
	say_fragment(*state, "ord in th", 0);
	say_fragment(*state, "ree", RPC_RECORD_LAST);
	say_fragment(*state, "next", RPC_RECORD_LAST);
	hear(*state, "a record in three");
	hear(*state, "next");
}

static void *say_slowly(void *arg)
{
	static const uint8_t bytes[] = {
		0,    0, 0, 3, 'a', 'b', 'c', /* */
		0x80, 0, 0, 2, 'd', 'e',      /* */
		0x80, 0, 0, 1, 'f',
	};
	struct pair *pair = arg;

	for (size_t i = 0; i < sizeof(bytes); i++)
		if (send(pair->far, bytes + i, 1, MSG_NOSIGNAL) != 1)
			return arg;
	return NULL;
}

static void record_may_come_byte_by_byte(void **state)
{
	pthread_t thread;
	void *result;

	assert_int_equal(pthread_create(&thread, NULL, say_slowly, *state), 0);
	hear(*state, "abcde");
	hear(*state, "f");
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_null(result);
}

static void *send_largest(void *arg)
{
	struct pair *pair = arg;
	uint8_t *bytes = malloc(RPC_RECORD_MARK + MAX);
	int rc = -ENOMEM;

	if (bytes) {
		rpc_record_mark(bytes, MAX);
		memset(bytes + RPC_RECORD_MARK, 'x', MAX);
		rc = rpc_record_send(pair->far, bytes, RPC_RECORD_MARK + MAX,
				     60 * TICK_S);
	}
	free(bytes);
	return rc ? arg : NULL;
}

static void largest_record_fits(void **state)
{
	struct pair *pair = *state;
	pthread_t thread;
	uint8_t *record;
	void *result;

	assert_int_equal(pthread_create(&thread, NULL, send_largest, pair), 0);
	assert_int_equal(rpc_record_read(&pair->reader, &record), MAX);
	for (int i = 0; i < MAX; i++)
		assert_int_equal(record[i], 'x');
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_null(result);
	/* And its memory is given back with the next. */
	assert_true(pair->reader.buffer.size > RPC_BUFFER_KEEP);
	say_fragment(pair, "small", RPC_RECORD_LAST);
	hear(pair, "small");
	assert_int_equal(pair->reader.buffer.size, RPC_BUFFER_START);
}

/* ---- what is wrong ---- */

static void mark_beyond_the_limit_is_refused_unseen(void **state)
{
	struct pair *pair = *state;

	say_mark(pair, 0xffffffff);
	assert_int_equal(hear_nothing(pair), -EMSGSIZE);
	assert_int_equal(pair->reader.buffer.size, RPC_BUFFER_START);
}

static void sum_of_fragments_is_limited(void **state)
{
	struct pair *pair = *state;

	say_fragment(pair, "x", 0);
	say_mark(pair, MAX);
	assert_int_equal(hear_nothing(pair), -EMSGSIZE);
}

static void endless_empty_fragments_are_refused(void **state)
{
	static const uint8_t marks[RPC_RECORD_OVERHEAD + RPC_RECORD_MARK];

	say(*state, marks, sizeof(marks));
	assert_int_equal(hear_nothing(*state), -EBADMSG);
}

/* Fragments of so many bytes, together those of a record; the last is as
 * long as the others. */
static void *say_in_fragments(void *arg)
{
	static uint8_t stream[5 * MAX];
	struct fragments *fragments = arg;
	size_t at = 0;

	for (size_t i = 0; i < fragments->n; i++) {
		rpc_message_put32(stream + at, (uint32_t)fragments->bytes);
		if (i + 1 == fragments->n)
			stream[at] |= 0x80;
		memset(stream + at + 4, (int)(i % 251), fragments->bytes);
		at += 4 + fragments->bytes;
	}
	return rpc_record_send(fragments->pair->far, stream, at, 60 * TICK_S)
		       ? arg
		       : NULL;
}

static void hear_fragments(struct pair *pair, size_t bytes, size_t n)
{
	struct fragments fragments = {pair, bytes, n};
	pthread_t thread;
	uint8_t *record;
	void *result;

	assert_int_equal(
		pthread_create(&thread, NULL, say_in_fragments, &fragments), 0);
	assert_int_equal(rpc_record_read(&pair->reader, &record), bytes * n);
	for (size_t i = 0; i < bytes * n; i++)
		assert_int_equal(record[i], i / bytes % 251);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_null(result);
	/* Marks are not kept. */
	assert_true(pair->reader.buffer.size <= 2 * MAX);
}

/* As libtirpc cuts them for a send size of 100. */
static void small_fragments_may_be_many(void **state)
{
	hear_fragments(*state, 100, 1000);
	hear_fragments(*state, 4, MAX / 4);
	hear_fragments(*state, 1, 1000);
}

static void marks_may_not_outweigh_what_they_mark(void **state)
{
	struct fragments fragments = {*state, 1, 4000};
	struct pair *pair = *state;
	pthread_t thread;

	assert_int_equal(
		pthread_create(&thread, NULL, say_in_fragments, &fragments), 0);
	assert_int_equal(hear_nothing(pair), -EBADMSG);
	shutdown(pair->near, SHUT_RDWR);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* The first mark of a record may be there without the rest of it. */
static void cut_anywhere_it_is_the_same(void **state)
{
	static const char stream[] = "\0\0\0\2ab\0\0\0\0\x80\0\0\3cde"
				     "\x80\0\0\0\x80\0\0\1f";
	static const char *const wanted[] = {"abcde", "", "f"};
	const size_t size = sizeof(stream) - 1;
	struct rpc_record_reader reader;
	uint8_t *to, *record = NULL;
	size_t room, at = 0;
	ssize_t n;
	int which;

	(void)state;
	for (size_t piece = 1; piece <= size; piece++) {
		rpc_record_init(&reader, -1, MAX, 0);
		which = 0;
		for (at = 0; at < size;) {
			assert_int_equal(rpc_record_room(&reader, &to, &room),
					 0);
			room = piece < size - at ? piece : size - at;
			memcpy(to, stream + at, room);
			rpc_record_add(&reader, room);
			at += room;
			while (which < 3 &&
			       (n = rpc_record_next(&reader, &record)) >= 0) {
				assert_int_equal(n, strlen(wanted[which]));
				assert_memory_equal(record, wanted[which],
						    (size_t)n);
				which++;
			}
			assert_int_equal(rpc_record_next(&reader, &record),
					 -EAGAIN);
		}
		assert_int_equal(which, 3);
		assert_false(rpc_record_is_partial(&reader));
		rpc_record_fini(&reader);
	}
}

static void budget_holds_for_all_readers(void **state)
{
	struct rpc_budget budget = {.bytes = 60000};
	struct pair *pair = *state;
	uint8_t bytes[4], *record;
	pthread_t thread;
	void *result;

	pair->reader.buffer.budget = &budget;
	assert_true(rpc_budget_take(&budget, 30000));
	assert_int_equal(pthread_create(&thread, NULL, send_largest, pair), 0);
	assert_int_equal(hear_nothing(pair), -ENOBUFS);
	assert_true(rpc_budget_used(&budget) <= 60000);
	rpc_budget_give(&budget, 30000);
	/* Still too much for the rest, and not forgotten meanwhile. */
	assert_int_equal(hear_nothing(pair), -ENOBUFS);
	budget.bytes = 2 * MAX;
	assert_int_equal(rpc_record_read(&pair->reader, &record), MAX);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_null(result);
	memset(bytes, 'x', 4);
	assert_memory_equal(record, bytes, 4);
	rpc_record_fini(&pair->reader);
	assert_int_equal(rpc_budget_used(&budget), 0);
	pair->reader.buffer.budget = NULL;
}

static void announced_bytes_cost_nothing(void **state)
{
	struct pair *pair = *state;

	say_mark(pair, RPC_RECORD_LAST | MAX);
	say(pair, "only this", 9);
	shutdown(pair->far, SHUT_WR);
	assert_int_equal(hear_nothing(pair), -ECONNRESET);
	assert_int_equal(pair->reader.buffer.size, RPC_BUFFER_START);
}

static void end_between_records_is_told_from_end_within(void **state)
{
	struct pair *pair = *state;

	say_fragment(pair, "last", RPC_RECORD_LAST);
	shutdown(pair->far, SHUT_WR);
	hear(pair, "last");
	assert_int_equal(hear_nothing(pair), -EPIPE);
}

static void silence_before_a_record_is_not_silence_within(void **state)
{
	struct pair *pair = *state;

	set_timeout(pair, 20);
	assert_int_equal(hear_nothing(pair), -EAGAIN);
	pair->reader.record_ns = 20 * TICK_MS;
	say(pair, "\x80\x00", 2);
	assert_int_equal(hear_nothing(pair), -ETIMEDOUT);
}

static void *keep_dripping(void *arg)
{
	struct pair *pair = arg;
	struct pollfd end = {.fd = pair->far, .events = POLLIN};

	/* Until the reader has given up and shut the socket down. */
	while (poll(&end, 1, 5) == 0 &&
	       send(pair->far, "\0\0\0\1x", 5, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		;
	return NULL;
}

static void steady_bytes_do_not_move_the_deadline(void **state)
{
	struct pair *pair = *state;
	pthread_t thread;
	ssize_t n;

	pair->reader.record_ns = 50 * TICK_MS;
	assert_int_equal(pthread_create(&thread, NULL, keep_dripping, pair), 0);
	n = hear_nothing(pair);
	shutdown(pair->near, SHUT_RDWR);
	assert_int_equal(pthread_join(thread, NULL), 0);
	/* Where the machine was so slow that it saw many fragments at once. */
	assert_true(n == -ETIMEDOUT || n == -EBADMSG);
}

static void reader_that_does_not_read_times_the_sender_out(void **state)
{
	struct pair *pair = *state;
	uint8_t *bytes = calloc(1, 4 << 20);

	assert_non_null(bytes);
	assert_int_equal(
		rpc_record_send(pair->far, bytes, 4 << 20, 50 * TICK_MS),
		-ETIMEDOUT);
	free(bytes);
}

static void sending_to_nobody_is_an_error_and_no_signal(void **state)
{
	struct pair *pair = *state;

	close(pair->far);
	pair->far = -1;
	assert_int_equal(
		rpc_record_send(pair->near, (const uint8_t *)"x", 1, TICK_S),
		-EPIPE);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(records_come_as_they_were_sent),
		CASE(fragments_are_put_together),
		CASE(record_may_come_byte_by_byte),
		CASE(largest_record_fits),
		CASE(mark_beyond_the_limit_is_refused_unseen),
		CASE(sum_of_fragments_is_limited),
		CASE(endless_empty_fragments_are_refused),
		CASE(small_fragments_may_be_many),
		CASE(marks_may_not_outweigh_what_they_mark),
		CASE(cut_anywhere_it_is_the_same),
		CASE(budget_holds_for_all_readers),
		CASE(announced_bytes_cost_nothing),
		CASE(end_between_records_is_told_from_end_within),
		CASE(silence_before_a_record_is_not_silence_within),
		CASE(steady_bytes_do_not_move_the_deadline),
		CASE(reader_that_does_not_read_times_the_sender_out),
		CASE(sending_to_nobody_is_an_error_and_no_signal),
	};
	return SUPPORT_MAIN(tests);
}
