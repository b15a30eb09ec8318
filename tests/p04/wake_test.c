/* Waking up for messages, and the message that comes at the worst moment:
 * mq_notify is led through here (--wrap), so that one can be sent right
 * before it registers. The dispatcher sees the journal when it starts or runs
 * out of messages, and not again (--wrap of tick_after). */
#include "p04-posix-mq/wake.h"

#include "tests/p04/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "p04-posix-mq/scheduler.h"

static struct fixture f;
static mqd_t mq;

static int setup(void **state)
{
	(void)state;
	fixture_make(&f);
	fixture_make_queue(&f);
	mq = mq_open(f.queue_name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mq_close(mq);
	fixture_remove(&f);
	return 0;
}

static bool is_readable(const struct wake *wake, int timeout_ms)
{
	struct pollfd pfd = {.fd = wake->fd, .events = POLLIN};

	return poll(&pfd, 1, timeout_ms) == 1;
}

static void send_text(void)
{
	assert_int_equal(mq_send(mq, "x", 1, 0), 0);
}

static void receive_text(void)
{
	char buf[1024];

	assert_int_equal(mq_receive(mq, buf, sizeof(buf), NULL), 1);
}

/* ---- the worst moment ----------------------------------------------------------- */

int __real_mq_notify(mqd_t queue, const struct sigevent *event);
int __wrap_mq_notify(mqd_t queue, const struct sigevent *event);

int64_t __real_tick_after(int64_t timeout_ns);
int64_t __wrap_tick_after(int64_t timeout_ns);

/* A second later the journal would tell of the job: not here. */
int64_t __wrap_tick_after(int64_t timeout_ns)
{
	return timeout_ns == SCHEDULER_LOOK_NS ? TICK_NEVER
					       : __real_tick_after(timeout_ns);
}

static int registrations; /* until somebody submits a job; 0: nobody does */

int __wrap_mq_notify(mqd_t queue, const struct sigevent *event)
{
	char command[300];

	if (event && registrations > 0 && --registrations == 0) {
		snprintf(command, sizeof(command), "echo caught >>%s",
			 scratch_path(&f.scratch, "ran"));
		fixture_submit(&f, &f.journal, command, 0);
	}
	return __real_mq_notify(queue, event);
}

static bool is_caught(void *arg)
{
	(void)arg;
	return fixture_count(&f, "ran", "caught") == 1;
}

/* A dispatcher that sees no work, and is about to sleep, when the job comes. */
static void the_job_is_caught_at(int registration)
{
	struct fixture_dispatcher d = {
		.f = &f, .options = fixture_options, .events = -1};
	int stop[2], status;
	bool is_in_time;
	pid_t pid;

	assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
	d.options.stop_fd = stop[0];
	registrations = registration;
	assert_int_equal(child_fork(fixture_dispatch, &d, &pid), 0);
	registrations = 0;
	/* A job that makes it look several times. */
	if (registration > 1)
		assert_true(fixture_submit(&f, &f.journal, "true", 0) > 0);
	is_in_time = support_wait_until(is_caught, NULL, 10000);
	assert_int_equal(write(stop[1], "", 1), 1);
	assert_int_equal(child_wait(pid, tick_after(20 * TICK_S), &status), 0);
	assert_int_equal(status, 0);
	assert_true(is_in_time);
	close(stop[0]);
	close(stop[1]);
}

static void a_message_just_before_the_first_arming_is_caught(void **state)
{
	(void)state;
	the_job_is_caught_at(1);
}

static void a_message_just_before_a_later_arming_is_caught(void **state)
{
	(void)state;
	the_job_is_caught_at(2);
}

/* ---- both modes --------------------------------------------------------------------- */

static void wakes(enum wake_mode mode)
{
	struct wake wake;

	assert_int_equal(wake_open(&wake, mq, mode), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(wake_arm(&wake), 0);
		assert_false(is_readable(&wake, 0));
		send_text();
		assert_true(is_readable(&wake, 20000));
		receive_text();
	}
	wake_close(&wake);
}

static void poll_wakes_for_each_message(void **state)
{
	(void)state;
	wakes(WAKE_POLL);
}

static void notify_wakes_once_for_each_arming(void **state)
{
	(void)state;
	wakes(WAKE_NOTIFY);
}

static void notify_is_silent_until_armed_again(void **state)
{
	struct wake wake;

	(void)state;
	assert_int_equal(wake_open(&wake, mq, WAKE_NOTIFY), 0);
	send_text();
	assert_false(is_readable(&wake, 0));
	receive_text();
	assert_int_equal(wake_arm(&wake), 0);
	send_text();
	assert_true(is_readable(&wake, 20000));
	/* Armed while there is a message: only the next on empty counts. */
	assert_int_equal(wake_arm(&wake), 0);
	send_text();
	assert_false(is_readable(&wake, 0));
	receive_text();
	receive_text();
	send_text();
	assert_true(is_readable(&wake, 20000));
	receive_text();
	wake_close(&wake);
}

static void another_queue_in_the_place_of_the_first_wakes(void **state)
{
	static const enum wake_mode modes[] = {WAKE_POLL, WAKE_NOTIFY};
	mqd_t first = mq;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct wake wake;

		assert_int_equal(wake_open(&wake, first, modes[i]), 0);
		mq_unlink(f.queue_name);
		fixture_make_queue(&f);
		mq = mq_open(f.queue_name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		wake_follow(&wake, mq);
		mq_close(first);
		assert_int_equal(wake_arm(&wake), 0);
		assert_false(is_readable(&wake, 0));
		send_text();
		assert_true(is_readable(&wake, 20000));
		wake_close(&wake);
		first = mq;
	}
}

static void after_the_end_another_may_ask_for_the_signal(void **state)
{
	const struct sigevent event = {.sigev_notify = SIGEV_NONE};
	struct wake wake;

	(void)state;
	assert_int_equal(wake_open(&wake, mq, WAKE_NOTIFY), 0);
	assert_int_equal(wake_arm(&wake), 0);
	assert_int_equal(mq_notify(mq, &event), -1);
	assert_int_equal(errno, EBUSY);
	wake_close(&wake);
	assert_int_equal(mq_notify(mq, &event), 0);
}

static int register_and_wait(void *arg)
{
	struct sigevent event = {.sigev_notify = SIGEV_NONE};
	int *fds = arg;
	char c;

	if (mq_notify(mq, &event) < 0 || write(fds[1], "", 1) != 1)
		return 1;
	return read(fds[2], &c, 1) != 0;
}

static void another_registered_process_is_reported(void **state)
{
	int ready[2], end[2], status;
	struct wake wake;
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(end, O_CLOEXEC), 0);
	assert_int_equal(wake_open(&wake, mq, WAKE_NOTIFY), 0);
	assert_int_equal(child_fork(register_and_wait,
				    (int[]){ready[0], ready[1], end[0]}, &pid),
			 0);
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(wake_arm(&wake), -EBUSY);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(child_wait(pid, tick_after(10 * TICK_S), &status), 0);
	assert_int_equal(wake_arm(&wake), 0);
	wake_close(&wake);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(end[i]);
	}
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_message_just_before_the_first_arming_is_caught),
		CASE(a_message_just_before_a_later_arming_is_caught),
		CASE(poll_wakes_for_each_message),
		CASE(notify_wakes_once_for_each_arming),
		CASE(notify_is_silent_until_armed_again),
		CASE(another_queue_in_the_place_of_the_first_wakes),
		CASE(after_the_end_another_may_ask_for_the_signal),
		CASE(another_registered_process_is_reported),
	};
	return SUPPORT_MAIN(tests);
}
