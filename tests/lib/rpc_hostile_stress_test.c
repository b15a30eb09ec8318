/* The hostile clients again, for long and all at once: what it costs in
 * memory, and what others notice of it. Figures are asserted in the long form
 * only, where nothing else runs. */
#include <sched.h>
#include <stdio.h>

#include "lib/child.h"
#include "lib/stats.h"
#include "tests/lib/rpc_hostile_fixture.h"

/* ---- memory ---- */

enum { CALL_BYTES = 4 + 44, REPLY_BYTES = 28, BATCH = 100 };

static void send_undecodable(int fd, int batches)
{
	uint8_t calls[BATCH * CALL_BYTES], replies[BATCH * REPLY_BYTES];

	for (int i = 0; i < BATCH; i++) {
		uint8_t *at = calls + (size_t)i * CALL_BYTES;

		rpc_record_mark(at, CALL_BYTES - 4);
		/* A blob of 100000 bytes, of which there are none: they have
		 * been allocated when that is noticed. */
		rpc_message_put32(put_call(at + 4, ECHO), 100000);
	}
	for (int i = 0; i < batches; i++) {
		assert_int_equal(fdio_write_full(fd, calls, sizeof(calls)), 0);
		assert_int_equal(fdio_read_full(fd, replies, sizeof(replies)),
				 sizeof(replies));
		assert_int_equal(rpc_message_get32(replies + 24), GARBAGE_ARGS);
	}
}

/* One leaked argument in a hundred would be seen. */
static void undecodable_arguments_leave_no_memory_behind(void **state)
{
	const int batches = support_is_stress() ? 10000 : 20;
	int fd = connect_raw(*state);
	long before;

	send_undecodable(fd, 10);
	before = support_resident_bytes();
	send_undecodable(fd, batches);
	if (support_is_stress())
		assert_true(support_resident_bytes() - before < 64L << 20);
	close(fd);
}

/* ---- latency ---- */

static int64_t median_of_calls(const struct fixture *f, int n)
{
	struct rpc_client *client = open_client(f, RPC_TCP);
	double *took = calloc((size_t)n, sizeof(*took));
	struct rpc_fault fault;
	double median;

	assert_non_null(took);
	for (int i = 0; i < n; i++) {
		int64_t start = tick_now();

		assert_int_equal(call_null(client, &fault), 0);
		took[i] = (double)(tick_now() - start);
	}
	median = stats_median(took, (size_t)n);
	free(took);
	rpc_client_close(client);
	return (int64_t)median;
}

/* Some of each kind, which stay. */
static void attack(const struct fixture *f, int *fds, int n)
{
	for (int i = 0; i < n; i++) {
		if (i % 100 == 0) {
			fds[i] = ask_and_do_not_read(f);
			continue;
		}
		fds[i] = connect_raw(f);
		if (i % 3 == 0)
			assert_int_equal(send(fds[i], "\x80", 1, MSG_NOSIGNAL),
					 1);
		else if (i % 3 == 1)
			assert_int_equal(
				send(fds[i], "\0\0\0\0\0", 5, MSG_NOSIGNAL), 5);
	}
}

static void others_hardly_notice_an_attack(void **state)
{
	const int calls = support_is_stress() ? 3000 : 100;
	const int n = support_is_valgrind() ? 50 : 500;
	struct fixture *f = *state;
	int *fds = calloc((size_t)n, sizeof(*fds));
	int64_t calm, attacked;

	assert_non_null(fds);
	calm = median_of_calls(f, calls);
	attack(f, fds, n);
	attacked = median_of_calls(f, calls);
	if (support_is_stress())
		assert_true(attacked < 10 * calm);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	free(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED_CASE(undecodable_arguments_leave_no_memory_behind),
		SERVED_CASE(others_hardly_notice_an_attack),
	};

	allow_more_descriptors();
	/* All threads on one CPU: waking one on another costs a call ten times
	 * as much, and where they are put is not ours to say. */
	if (child_pin(sched_getcpu()))
		return 1;
	return SUPPORT_MAIN(tests);
}
