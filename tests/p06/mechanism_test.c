/* The kernel's mechanisms, each under the measuring that verifies every
 * message, at their limits, and with somebody's objects in their way. */
#include "lib/measure/mechanism.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/measure/machine.h"
#include "lib/measure/measure.h"
#include "lib/objname.h"
#include "lib/tick.h"
#include "p06-bench/table.h"
#include "tests/support/leftover.h"

static struct measure_options options_of(size_t message_bytes,
					 uint64_t iterations)
{
	struct measure_options o = MEASURE_OPTIONS_INIT;

	o.message_bytes = message_bytes;
	o.iterations = iterations;
	o.trials = 1;
	o.placement = MEASURE_UNPINNED;
	o.max_ns = 0; /* all messages, however slow (valgrind) */
	o.deadline = tick_after(100 * TICK_S);
	return o;
}

/* Every message arrives, or the size is beyond a limit. */
static void assert_carries(const struct mechanism *m, size_t message_bytes,
			   uint64_t iterations)
{
	struct measure_options o = options_of(message_bytes, iterations);
	struct measure_result result;

	assert_int_equal(measure_run(m, &o, &result), 0);
	if (result.error == -EMSGSIZE) {
		assert_non_null(m->check);
	} else {
		if (result.error)
			print_error("%s: %s\n", m->name, result.why);
		assert_int_equal(result.error, 0);
		assert_int_equal(result.median.messages, iterations);
	}
	measure_free(&result);
}

static void all_carry_messages_of_any_size(void **state)
{
	static const size_t sizes[] = {16, 17, 1000, 1024, 8192, 65536};

	(void)state;
	for (size_t i = 0; table_kernel[i]; i++)
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
			assert_carries(table_kernel[i], sizes[k], 300);
}

static void all_carry_more_than_they_have_room_for(void **state)
{
	(void)state;
	for (size_t i = 0; table_kernel[i]; i++)
		assert_carries(table_kernel[i], 1024, 1000);
}

static void large_messages_pass_where_there_is_no_limit(void **state)
{
	const struct mechanism *const m[] = {&mech_pipe,        &mech_fifo,
					     &mech_unix_stream, &mech_shm_sem,
					     &mech_eventfd,     &mech_tcp};

	(void)state;
	for (size_t i = 0; i < sizeof(m) / sizeof(m[0]); i++)
		assert_carries(m[i], (size_t)4 << 20, 1);
}

/* At the limit it works, one byte beyond it is a line that says which limit
 * that is, what it is, and what to type. */
static void assert_limit(const struct mechanism *m, int64_t limit,
			 const char *sysctl)
{
	struct measure_options o;
	struct measure_result result;
	char wanted[64];

	if (limit < MEASURE_MESSAGE_MIN || limit > 1 << 26)
		skip();
	o = options_of((size_t)limit, 10);
	assert_int_equal(measure_run(m, &o, &result), 0);
	assert_int_equal(result.error, 0);
	measure_free(&result);

	o = options_of((size_t)limit + 1, 10);
	assert_int_equal(measure_run(m, &o, &result), 0);
	assert_int_equal(result.error, -EMSGSIZE);
	snprintf(wanted, sizeof(wanted), "limit %lld bytes", (long long)limit);
	assert_non_null(strstr(result.why, wanted));
	snprintf(wanted, sizeof(wanted), "raise: sysctl -w %s=", sysctl);
	assert_non_null(strstr(result.why, wanted));
	measure_free(&result);
}

static void posix_queue_names_its_limit(void **state)
{
	(void)state;
	assert_limit(&mech_posix_mq, machine_limit_read(MACHINE_MQ_MSGSIZE_MAX),
		     "fs.mqueue.msgsize_max");
}

/* The kernel says EMFILE, which is no word about descriptors here. */
static void posix_queue_names_the_bytes_that_other_queues_have(void **state)
{
	struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 64};
	struct measure_options o = options_of(64, 10);
	struct measure_result result;
	struct rlimit old, few;
	char name[64];
	mqd_t other;

	(void)state;
	snprintf(name, sizeof(name), "/ipc.p06-test.%d", (int)getpid());
	other = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600,
			&attr);
	assert_true(other != (mqd_t)-1);
	assert_int_equal(mq_unlink(name), 0);
	assert_int_equal(getrlimit(RLIMIT_MSGQUEUE, &old), 0);
	few = old;
	few.rlim_cur = 400; /* enough for two, and not for three */
	assert_int_equal(setrlimit(RLIMIT_MSGQUEUE, &few), 0);
	assert_int_equal(measure_run(&mech_posix_mq, &o, &result), 0);
	assert_int_equal(setrlimit(RLIMIT_MSGQUEUE, &old), 0);
	mq_close(other);
	assert_int_equal(result.error, -EMSGSIZE);
	assert_non_null(strstr(result.why,
			       "limit 400 bytes for all queues of a user; "
			       "raise: ulimit -q "));
	measure_free(&result);
}

static void sysv_queue_names_its_limit(void **state)
{
	(void)state;
	assert_limit(&mech_sysv_mq, machine_limit_read(MACHINE_MSGMAX),
		     "kernel.msgmax");
}

/* Whether that size is carried; else *limit is the one that is named as what can
 * be raised, or 0. */
static bool carries_seqpacket(size_t message_bytes, size_t *limit)
{
	struct measure_options o = options_of(message_bytes, 1);
	struct measure_result result;
	bool is_carried;

	*limit = 0;
	assert_int_equal(measure_run(&mech_unix_seqpacket, &o, &result), 0);
	is_carried = result.error == 0;
	if (!is_carried) {
		assert_int_equal(result.error, -EMSGSIZE);
		if (strstr(result.why, "net.core.wmem_max")) {
			*limit = strtoul(result.why + strlen("message limit "),
					 NULL, 10);
			assert_true(*limit > 0);
		} else {
			assert_non_null(strstr(result.why, "piece of memory"));
		}
	}
	measure_free(&result);
	return is_carried;
}

static void seqpacket_names_its_limits(void **state)
{
	size_t limit, none;

	(void)state;
	for (size_t size = 1 << 16; size <= MEASURE_MESSAGE_MAX; size *= 2)
		/* What stands in the way must be that limit, or it would not
		 * help to raise it. */
		if (!carries_seqpacket(size, &limit) && limit > 0)
			assert_true(carries_seqpacket(limit, &none));
}

static void planted_file_is_neither_used_nor_removed(void **state)
{
	char name[200], path[256];
	struct measure_options o = options_of(1024, 10);
	struct measure_result result;
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(objname_make(name, sizeof(name), "a-to-b"), 0);
	snprintf(path, sizeof(path), "/tmp%s", name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
	assert_true(fd >= 0);
	close(fd);

	assert_int_equal(measure_run(&mech_fifo, &o, &result), 0);
	assert_int_equal(result.error, -EEXIST);
	measure_free(&result);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode) && st.st_size == 0);
	unlink(path);
}

static void a_side_notices_when_the_other_is_gone(void **state)
{
	const struct mechanism *const m[] = {&mech_pipe, &mech_fifo,
					     &mech_unix_stream,
					     &mech_unix_seqpacket, &mech_tcp};
	unsigned char message[1024] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(m) / sizeof(m[0]); i++) {
		void *channel;

		assert_int_equal(m[i]->create(&channel, sizeof(message)), 0);
		assert_int_equal(m[i]->attach(channel, MECHANISM_A), 0);
		assert_int_equal(m[i]->receive(channel, message), -EPIPE);
		m[i]->destroy(channel);
	}
}

static void names_and_rows_are_all_different(void **state)
{
	(void)state;
	for (size_t i = 0; table_kernel[i]; i++) {
		assert_ptr_equal(
			table_find(table_kernel, table_kernel[i]->name),
			table_kernel[i]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(table_kernel[i]->title,
						table_kernel[k]->title);
	}
	assert_null(table_find(table_kernel, "pip"));
	assert_null(table_find(table_kernel, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_carry_messages_of_any_size,
						leftover_setup,
						leftover_teardown),
		cmocka_unit_test_setup_teardown(
			all_carry_more_than_they_have_room_for, leftover_setup,
			leftover_teardown),
		cmocka_unit_test_setup_teardown(
			large_messages_pass_where_there_is_no_limit,
			leftover_setup, leftover_teardown),
		cmocka_unit_test_setup_teardown(posix_queue_names_its_limit,
						leftover_setup,
						leftover_teardown),
		cmocka_unit_test_setup_teardown(
			posix_queue_names_the_bytes_that_other_queues_have,
			leftover_setup, leftover_teardown),
		cmocka_unit_test_setup_teardown(sysv_queue_names_its_limit,
						leftover_setup,
						leftover_teardown),
		cmocka_unit_test_setup_teardown(seqpacket_names_its_limits,
						leftover_setup,
						leftover_teardown),
		cmocka_unit_test_setup_teardown(
			planted_file_is_neither_used_nor_removed,
			leftover_setup, leftover_teardown),
		cmocka_unit_test_setup_teardown(
			a_side_notices_when_the_other_is_gone, leftover_setup,
			leftover_teardown),
		cmocka_unit_test_setup_teardown(
			names_and_rows_are_all_different, leftover_setup,
			leftover_teardown),
	};

	return SUPPORT_MAIN(tests);
}
