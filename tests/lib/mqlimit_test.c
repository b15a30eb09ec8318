/* What limits a POSIX queue: the kernel is asked whether that is so, in a user
 * namespace, as bytes are counted for a user and its other tests make queues. */
#include "lib/mqlimit.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MESSAGES = 4, MESSAGE_BYTES = 100 };

static char name[64];
static struct rlimit quota, descriptors;

static int setup(void **state)
{
	(void)state;
	snprintf(name, sizeof(name), "/ipc.mqlimit-test.%d", (int)getpid());
	assert_int_equal(getrlimit(RLIMIT_MSGQUEUE, &quota), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	setrlimit(RLIMIT_MSGQUEUE, &quota);
	setrlimit(RLIMIT_NOFILE, &descriptors);
	return 0;
}

static void limit_to(int resource, struct rlimit limit, rlim_t value)
{
	limit.rlim_cur = value;
	assert_int_equal(setrlimit((__rlimit_resource_t)resource, &limit), 0);
}

/* Whether the kernel makes one: 0 or -errno. */
static int try_queue(long messages, long message_bytes)
{
	struct mq_attr attr = {.mq_maxmsg = messages,
			       .mq_msgsize = message_bytes};
	mqd_t mq = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600,
			   &attr);

	if (mq == (mqd_t)-1)
		return -errno;
	mq_close(mq);
	mq_unlink(name);
	return 0;
}

static void expect(int rc, const char *why, const char *wanted)
{
	assert_int_equal(rc, 1);
	if (!strstr(why, wanted))
		fail_msg("%s: not in: %s", wanted, why);
}

/* To the byte: what mqlimit_check() says and what the kernel does. */
static void a_users_bytes_are_counted_as_the_kernel_does(void **state)
{
	char why[160];
	rlim_t cost = MESSAGES * (MESSAGE_BYTES + 96);

	(void)state;
	limit_to(RLIMIT_MSGQUEUE, quota, cost);
	assert_int_equal(try_queue(MESSAGES, MESSAGE_BYTES), 0);
	assert_int_equal(
		mqlimit_check(1, MESSAGES, MESSAGE_BYTES, why, sizeof(why)), 0);
	assert_int_equal(mqlimit_read(MQLIMIT_USER_BYTES), cost);
	limit_to(RLIMIT_MSGQUEUE, quota, cost - 1);
	assert_int_equal(try_queue(MESSAGES, MESSAGE_BYTES), -EMFILE);
	expect(mqlimit_check(1, MESSAGES, MESSAGE_BYTES, why, sizeof(why)), why,
	       "limit 783 bytes for all queues of a user; raise: ulimit -q "
	       "784");
	expect(mqlimit_explain(-EMFILE, MESSAGES, MESSAGE_BYTES, why,
			       sizeof(why)),
	       why, "raise: ulimit -q 784");
	limit_to(RLIMIT_MSGQUEUE, quota, 2 * cost - 1);
	expect(mqlimit_check(2, MESSAGES, MESSAGE_BYTES, why, sizeof(why)), why,
	       "ulimit -q 1568");
}

static void a_users_other_queues_are_named(void **state)
{
	char why[160];

	(void)state;
	limit_to(RLIMIT_MSGQUEUE, quota, 1000);
	expect(mqlimit_explain(-EMFILE, MESSAGES, MESSAGE_BYTES, why,
			       sizeof(why)),
	       why,
	       "limit 1000 bytes for all queues of a user; raise: ulimit -q "
	       "1784");
}

static void descriptors_are_not_taken_for_bytes(void **state)
{
	char why[160];

	(void)state;
	support_need_no_valgrind("it keeps that limit, once the queue is made");
	limit_to(RLIMIT_NOFILE, descriptors, 0);
	assert_int_equal(try_queue(MESSAGES, MESSAGE_BYTES), -EMFILE);
	expect(mqlimit_explain(-EMFILE, MESSAGES, MESSAGE_BYTES, why,
			       sizeof(why)),
	       why, "no descriptor is free; raise: ulimit -n");
}

static void limits_of_the_system_are_named_with_their_values(void **state)
{
	int64_t messages = mqlimit_read(MQLIMIT_MESSAGES);
	int64_t bytes = mqlimit_read(MQLIMIT_MESSAGE_BYTES);
	int64_t queues = mqlimit_read(MQLIMIT_QUEUES);
	char why[160], wanted[160];

	(void)state;
	assert_true(messages > 0 && bytes > 0 && queues > 0);
	snprintf(wanted, sizeof(wanted),
		 "queue limit %lld messages; raise: sysctl -w "
		 "fs.mqueue.msg_max=%lld",
		 (long long)messages, (long long)messages + 1);
	assert_int_equal(mqlimit_check(1, messages, 1, why, sizeof(why)), 0);
	expect(mqlimit_check(1, messages + 1, 1, why, sizeof(why)), why,
	       wanted);
	expect(mqlimit_explain(-EINVAL, messages + 1, 1, why, sizeof(why)), why,
	       wanted);
	snprintf(wanted, sizeof(wanted),
		 "message limit %lld bytes; raise: sysctl -w "
		 "fs.mqueue.msgsize_max=%lld",
		 (long long)bytes, (long long)bytes + 1);
	expect(mqlimit_check(1, 1, (size_t)bytes + 1, why, sizeof(why)), why,
	       wanted);
	expect(mqlimit_explain(-EINVAL, 1, (size_t)bytes + 1, why, sizeof(why)),
	       why, wanted);
	snprintf(wanted, sizeof(wanted),
		 "limit %lld queues of all users; raise: sysctl -w "
		 "fs.mqueue.queues_max=%lld",
		 (long long)queues, (long long)queues * 2);
	expect(mqlimit_explain(-ENOSPC, 1, 1, why, sizeof(why)), why, wanted);
}

static void what_is_no_limit_is_not_called_one(void **state)
{
	char why[160];

	(void)state;
	assert_int_equal(mqlimit_explain(-EACCES, 1, 1, why, sizeof(why)), 0);
	assert_int_equal(mqlimit_explain(-EINVAL, 1, 1, why, sizeof(why)), 0);
}

int __real_getrlimit(int resource, struct rlimit *limit);
int __wrap_getrlimit(int resource, struct rlimit *limit);

static bool is_unlimited; /* which only root can be */

int __wrap_getrlimit(int resource, struct rlimit *limit)
{
	int rc = __real_getrlimit(resource, limit);

	if (is_unlimited)
		limit->rlim_cur = RLIM_INFINITY;
	return rc;
}

static void no_limit_is_no_number(void **state)
{
	char why[160];

	(void)state;
	is_unlimited = true;
	assert_int_equal(mqlimit_read(MQLIMIT_USER_BYTES), -1);
	assert_int_equal(mqlimit_check(1000000, 1, 1, why, sizeof(why)), 0);
	is_unlimited = false;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_users_bytes_are_counted_as_the_kernel_does),
		CASE(a_users_other_queues_are_named),
		CASE(descriptors_are_not_taken_for_bytes),
		CASE(limits_of_the_system_are_named_with_their_values),
		CASE(what_is_no_limit_is_not_called_one),
		CASE(no_limit_is_no_number),
	};

	if (unshare(CLONE_NEWUSER) < 0)
		perror("unshare");
	return SUPPORT_MAIN(tests);
}
