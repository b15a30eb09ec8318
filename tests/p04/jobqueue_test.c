/* The queue of jobs, and why there may be none. Who we are, and how the clock of
 * the day is set, is led through here (--wrap). */
#include "p04-posix-mq/jobqueue.h"

#include "tests/support/interrupt.h"
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/tick.h"

#define CAPACITY 4
#define MESSAGE_BYTES 256

static char name[64];
static struct jobqueue server, client;
static struct job *room;

static int setup(void **state)
{
	bool is_new;

	(void)state;
	snprintf(name, sizeof(name), "/ipc.p04-test.%d", (int)getpid());
	assert_int_equal(
		jobqueue_serve(&server, name, CAPACITY, MESSAGE_BYTES, &is_new),
		0);
	assert_true(is_new);
	assert_int_equal(jobqueue_join(&client, name), 0);
	room = malloc(MESSAGE_BYTES);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(room);
	jobqueue_close(&client);
	jobqueue_close(&server);
	mq_unlink(name);
	return 0;
}

static int send(uint64_t id, uint32_t priority, int64_t deadline)
{
	struct job *job;
	int error;

	assert_int_equal(job_new("true", priority, &job), 0);
	job->id = id;
	error = jobqueue_send(&client, job, deadline);
	free(job);
	return error;
}

/* ---- another user, another clock --------------------------------------------------- */

uid_t __real_geteuid(void);
uid_t __wrap_geteuid(void);

static bool is_another; /* user, who may all the same open what is ours: root */

uid_t __wrap_geteuid(void)
{
	return __real_geteuid() + is_another;
}

int __real_mq_timedsend(mqd_t mq, const char *bytes, size_t n,
			unsigned int priority, const struct timespec *when);
int __wrap_mq_timedsend(mqd_t mq, const char *bytes, size_t n,
			unsigned int priority, const struct timespec *when);
ssize_t __real_mq_timedreceive(mqd_t mq, char *bytes, size_t n,
			       unsigned int *priority,
			       const struct timespec *when);
ssize_t __wrap_mq_timedreceive(mqd_t mq, char *bytes, size_t n,
			       unsigned int *priority,
			       const struct timespec *when);

static bool is_set_ahead; /* during the next call, to beyond its deadline */

static bool ends_at_once(void)
{
	bool ends = is_set_ahead;

	is_set_ahead = false;
	errno = ETIMEDOUT;
	return ends;
}

int __wrap_mq_timedsend(mqd_t mq, const char *bytes, size_t n,
			unsigned int priority, const struct timespec *when)
{
	return ends_at_once()
		       ? -1
		       : __real_mq_timedsend(mq, bytes, n, priority, when);
}

ssize_t __wrap_mq_timedreceive(mqd_t mq, char *bytes, size_t n,
			       unsigned int *priority,
			       const struct timespec *when)
{
	return ends_at_once()
		       ? -1
		       : __real_mq_timedreceive(mq, bytes, n, priority, when);
}

/* ---- cases ------------------------------------------------------------------------- */

static void a_clock_that_is_set_does_not_end_a_wait(void **state)
{
	(void)state;
	is_set_ahead = true;
	assert_int_equal(send(1, 0, tick_after(20 * TICK_S)), 0);
	assert_false(is_set_ahead);
	is_set_ahead = true;
	assert_int_equal(
		jobqueue_receive(&server, room, tick_after(20 * TICK_S)), 0);
	assert_false(is_set_ahead);
	is_set_ahead = true;
	assert_int_equal(jobqueue_receive(&server, room, tick_now()),
			 -ETIMEDOUT);
}

static void a_queue_of_another_user_is_not_trusted(void **state)
{
	struct jobqueue other;
	bool is_new;

	(void)state;
	is_another = true;
	assert_int_equal(jobqueue_join(&other, name), -EPERM);
	jobqueue_close(&server);
	assert_int_equal(
		jobqueue_serve(&other, name, CAPACITY, MESSAGE_BYTES, &is_new),
		-EPERM);
	is_another = false;
}

static void the_shortest_job_fits_the_smallest_queue(void **state)
{
	struct jobqueue queue;
	char small[64];
	bool is_new;

	(void)state;
	snprintf(small, sizeof(small), "/ipc.p04-test.%d.small", (int)getpid());
	assert_int_equal(jobqueue_serve(&queue, small, 1,
					JOBQUEUE_MESSAGE_LEAST - 1, &is_new),
			 -EMSGSIZE);
	mq_unlink(small);
	assert_int_equal(jobqueue_serve(&queue, small, 1,
					JOBQUEUE_MESSAGE_LEAST, &is_new),
			 0);
	mq_unlink(small);
	jobqueue_close(&queue);
}

static void jobs_come_out_by_priority_and_then_in_order(void **state)
{
	static const uint64_t order[] = {2, 4, 3, 1};
	long depth;

	(void)state;
	assert_int_equal(send(1, 0, JOBQUEUE_TRY), 0);
	assert_int_equal(send(2, 31, JOBQUEUE_TRY), 0);
	assert_int_equal(send(3, 15, JOBQUEUE_TRY), 0);
	assert_int_equal(send(4, 31, JOBQUEUE_TRY), 0);
	assert_int_equal(jobqueue_depth(&server, &depth), 0);
	assert_int_equal(depth, 4);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(jobqueue_receive(&server, room, JOBQUEUE_TRY),
				 0);
		assert_int_equal(room->id, order[i]);
		assert_string_equal(room->command, "true");
	}
	assert_int_equal(jobqueue_receive(&server, room, JOBQUEUE_TRY),
			 -EAGAIN);
}

static void a_full_queue_holds_the_sender_until_its_deadline(void **state)
{
	int64_t start;

	(void)state;
	for (uint64_t id = 1; id <= CAPACITY; id++)
		assert_int_equal(send(id, 0, JOBQUEUE_TRY), 0);
	assert_int_equal(send(9, 0, JOBQUEUE_TRY), -ETIMEDOUT);
	start = tick_now();
	assert_int_equal(send(9, 0, tick_after(30 * TICK_MS)), -ETIMEDOUT);
	assert_true(tick_now() - start >= 30 * TICK_MS);
	assert_int_equal(jobqueue_receive(&server, room, TICK_NEVER), 0);
	assert_int_equal(send(9, 0, TICK_NEVER), 0);
}

static void an_empty_queue_holds_the_receiver_until_its_deadline(void **state)
{
	(void)state;
	assert_int_equal(
		jobqueue_receive(&server, room, tick_after(30 * TICK_MS)),
		-ETIMEDOUT);
}

static void a_signal_ends_the_wait_for_room(void **state)
{
	(void)state;
	for (uint64_t id = 1; id <= CAPACITY; id++)
		assert_int_equal(send(id, 0, JOBQUEUE_TRY), 0);
	interrupt_start();
	assert_int_equal(send(9, 0, tick_after(20 * TICK_S)), -EINTR);
	interrupt_stop();
}

static void a_job_longer_than_a_message_is_refused(void **state)
{
	char command[MESSAGE_BYTES];
	struct job *job;

	(void)state;
	memset(command, 'x', sizeof(command));
	command[MESSAGE_BYTES - sizeof(*job)] = '\0';
	assert_int_equal(job_new(command, 0, &job), 0);
	assert_int_equal(jobqueue_send(&client, job, JOBQUEUE_TRY), -EMSGSIZE);
	free(job);
	command[MESSAGE_BYTES - sizeof(*job) - 1] = '\0';
	assert_int_equal(job_new(command, 0, &job), 0);
	assert_int_equal(jobqueue_send(&client, job, JOBQUEUE_TRY), 0);
	free(job);
}

static void what_is_no_job_is_dropped(void **state)
{
	(void)state;
	assert_int_equal(mq_send(client.mq, "hello", 5, 9), 0);
	assert_int_equal(mq_send(client.mq, "", 0, 8), 0);
	assert_int_equal(send(1, 0, JOBQUEUE_TRY), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(jobqueue_receive(&server, room, JOBQUEUE_TRY),
				 -EBADMSG);
	assert_int_equal(jobqueue_receive(&server, room, JOBQUEUE_TRY), 0);
}

static void a_queue_that_was_left_is_taken_over_with_its_jobs(void **state)
{
	bool is_new;

	(void)state;
	assert_int_equal(send(1, 5, JOBQUEUE_TRY), 0);
	jobqueue_close(&server);
	assert_int_equal(jobqueue_serve(&server, name, 2 * CAPACITY,
					2 * MESSAGE_BYTES, &is_new),
			 0);
	assert_false(is_new);
	assert_int_equal(server.capacity, CAPACITY);
	assert_int_equal(server.message_bytes, MESSAGE_BYTES);
	assert_int_equal(jobqueue_receive(&server, room, JOBQUEUE_TRY), 0);
	assert_int_equal(room->id, 1);
}

static void a_queue_is_served_by_one(void **state)
{
	int before = support_count_fds();
	struct jobqueue second;
	bool is_new;

	(void)state;
	assert_int_equal(
		jobqueue_serve(&second, name, CAPACITY, MESSAGE_BYTES, &is_new),
		-EBUSY);
	assert_int_equal(support_count_fds(), before);
}

static void a_queue_that_others_may_write_to_is_not_trusted(void **state)
{
	struct jobqueue other;
	bool is_new;

	(void)state;
	assert_int_equal(fchmod(server.mq, 0620), 0);
	assert_int_equal(jobqueue_join(&other, name), -EPERM);
	jobqueue_close(&server);
	assert_int_equal(
		jobqueue_serve(&server, name, CAPACITY, MESSAGE_BYTES, &is_new),
		-EPERM);
}

static void a_name_that_another_queue_has_by_now_is_left_alone(void **state)
{
	mqd_t other;

	(void)state;
	assert_int_equal(jobqueue_look(&server, name), 0);
	mq_unlink(name);
	assert_int_equal(jobqueue_look(&server, name), -ENOENT);
	other = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL);
	assert_true(other >= 0);
	assert_int_equal(jobqueue_look(&server, name), -EEXIST);
	assert_int_equal(jobqueue_renew(&server, name), -EEXIST);
	assert_int_equal(jobqueue_remove(&server, name), -EEXIST);
	mq_close(other);
	assert_int_equal(mq_unlink(name), 0);
	/* It goes on, under no name. */
	assert_int_equal(send(1, 0, JOBQUEUE_TRY), 0);
	assert_int_equal(jobqueue_receive(&server, room, JOBQUEUE_TRY), 0);
}

static int send_patiently(void *arg)
{
	(void)arg;
	return -send(9, 0, tick_after(60 * TICK_S));
}

static bool sleeps(void *arg)
{
	char path[64], line[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/wchan", (int)*(pid_t *)arg);
	file = fopen(path, "re");
	if (file && !fgets(line, sizeof(line), file))
		line[0] = '\0';
	if (file)
		fclose(file);
	return strstr(line, "wq_sleep") != NULL;
}

static void a_queue_that_is_made_anew_lets_nobody_wait_in_the_old_one(
	void **state)
{
	struct jobqueue other;
	int status;
	bool is_new;
	pid_t pid;

	(void)state;
	/* What is no job is no reason to stop. */
	assert_int_equal(mq_send(client.mq, "hello", 5, 9), 0);
	for (int i = 1; i < CAPACITY; i++)
		assert_int_equal(send(1, 0, JOBQUEUE_TRY), 0);
	assert_int_equal(child_fork(send_patiently, NULL, &pid), 0);
	support_wait_until(sleeps, &pid, 200);
	mq_unlink(name);
	assert_int_equal(jobqueue_renew(&server, name), 0);
	assert_int_equal(child_wait(pid, tick_after(20 * TICK_S), &status), 0);
	assert_int_equal(child_exit_code(status), 0);
	assert_int_equal(jobqueue_look(&server, name), 0);
	/* It is ours as the old one was. */
	assert_int_equal(
		jobqueue_serve(&other, name, CAPACITY, MESSAGE_BYTES, &is_new),
		-EBUSY);
	assert_int_equal(jobqueue_join(&other, name), 0);
	jobqueue_close(&other);
}

static void a_removed_queue_cannot_be_joined(void **state)
{
	struct jobqueue other;

	(void)state;
	assert_int_equal(jobqueue_remove(&server, name), 0);
	assert_int_equal(jobqueue_remove(&server, name), -ENOENT);
	assert_int_equal(jobqueue_join(&other, name), -ENOENT);
	/* Who has it open goes on. */
	assert_int_equal(send(1, 0, JOBQUEUE_TRY), 0);
	assert_int_equal(jobqueue_receive(&server, room, JOBQUEUE_TRY), 0);
}

/* ---- limits -------------------------------------------------------------------- */

static void a_quota_that_is_too_small_is_emfile(void **state)
{
	struct rlimit old, small;
	struct jobqueue other;
	bool is_new;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_MSGQUEUE, &old), 0);
	small = old;
	small.rlim_cur = 1000;
	assert_int_equal(setrlimit(RLIMIT_MSGQUEUE, &small), 0);
	assert_int_equal(jobqueue_serve(&other, "/ipc.p04-test.quota", 10, 8192,
					&is_new),
			 -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_MSGQUEUE, &old), 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(jobs_come_out_by_priority_and_then_in_order),
		CASE(a_full_queue_holds_the_sender_until_its_deadline),
		CASE(an_empty_queue_holds_the_receiver_until_its_deadline),
		CASE(a_signal_ends_the_wait_for_room),
		CASE(a_job_longer_than_a_message_is_refused),
		CASE(what_is_no_job_is_dropped),
		CASE(a_queue_that_was_left_is_taken_over_with_its_jobs),
		CASE(a_clock_that_is_set_does_not_end_a_wait),
		CASE(a_queue_of_another_user_is_not_trusted),
		cmocka_unit_test(the_shortest_job_fits_the_smallest_queue),
		CASE(a_queue_is_served_by_one),
		CASE(a_queue_that_others_may_write_to_is_not_trusted),
		CASE(a_name_that_another_queue_has_by_now_is_left_alone),
		CASE(a_queue_that_is_made_anew_lets_nobody_wait_in_the_old_one),
		CASE(a_removed_queue_cannot_be_joined),
		cmocka_unit_test(a_quota_that_is_too_small_is_emfile),
	};
	return SUPPORT_MAIN(tests);
}
