/* Each mechanism by hand, where the measuring never comes: signals, messages of
 * another length, ends in the middle, strangers, limits that differ.
 * sandbox: --root */
#include "lib/measure/mechanism.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/measure/machine.h"
#include "lib/tick.h"
#include "p06-bench/ends.h"
#include "p06-bench/table.h"
#include "tests/support/interrupt.h"
#include "tests/support/leftover.h"

enum { BYTES = 64 };

static void *create(const struct mechanism *m)
{
	void *channel = NULL;

	assert_int_equal(m->create(&channel, BYTES), 0);
	return channel;
}

/* What A, which is left alone, gets to read. */
static int receive_alone(const struct mechanism *m, void *channel)
{
	unsigned char message[BYTES];
	int error;

	assert_int_equal(m->attach(channel, MECHANISM_A), 0);
	error = m->receive(channel, message);
	m->destroy(channel);
	return error;
}

/* ---- signals ---- */

struct sender {
	const struct mechanism *m;
	void *channel;
};

static int send_late(void *arg)
{
	const unsigned char message[BYTES] = "late";
	struct sender *sender = arg;

	/* Until the receiver has had its signals, of which one comes every
	 * other millisecond. */
	tick_sleep_until(tick_after(15 * TICK_MS));
	return sender->m->attach(sender->channel, MECHANISM_B) ||
	       sender->m->send(sender->channel, message);
}

static void signals_do_not_end_a_wait_for_a_message(void **state)
{
	(void)state;
	for (size_t i = 0; table_kernel[i]; i++) {
		const struct mechanism *m = table_kernel[i];
		struct sender sender = {m, create(m)};
		unsigned char message[BYTES] = "";
		int error, status;
		pid_t pid;

		assert_int_equal(child_fork(send_late, &sender, &pid), 0);
		assert_int_equal(m->attach(sender.channel, MECHANISM_A), 0);
		interrupt_start();
		error = m->receive(sender.channel, message);
		interrupt_stop();
		assert_int_equal(
			child_wait(pid, tick_after(20 * TICK_S), &status), 0);
		if (error || status)
			fail_msg("%s: %d, sender %d", m->name, error, status);
		assert_string_equal((char *)message, "late");
		m->destroy(sender.channel);
	}
}

/* ---- messages that are none ---- */

static void half_a_message_is_the_end(void **state)
{
	const struct mechanism *const m[] = {&mech_pipe, &mech_fifo,
					     &mech_unix_stream, &mech_tcp};

	(void)state;
	for (size_t i = 0; i < sizeof(m) / sizeof(m[0]); i++) {
		struct ends *e = create(m[i]);

		assert_int_equal(write(e->out[MECHANISM_B], "half", 4), 4);
		assert_int_equal(receive_alone(m[i], e), -EPIPE);
	}
}

/* Of who ends with something unread the kernel says ECONNRESET. */
static void end_with_something_unread_is_an_end(void **state)
{
	const struct mechanism *const m[] = {&mech_unix_stream,
					     &mech_unix_seqpacket, &mech_tcp};

	(void)state;
	for (size_t i = 0; i < sizeof(m) / sizeof(m[0]); i++) {
		struct ends *e = create(m[i]);

		assert_int_equal(write(e->out[MECHANISM_A], "unread", 6), 6);
		assert_int_equal(receive_alone(m[i], e), -EPIPE);
	}
}

static const size_t wrong_lengths[] = {BYTES - 1, BYTES + 1};

static void packet_of_another_length_is_damage(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		unsigned char message[BYTES + 1] = "";
		struct ends *e = create(&mech_unix_seqpacket);

		assert_int_equal(
			send(e->out[MECHANISM_B], message, wrong_lengths[i], 0),
			wrong_lengths[i]);
		assert_int_equal(receive_alone(&mech_unix_seqpacket, e),
				 -EBADMSG);
	}
}

/* Its queues have no names any more, but descriptors: the lowest that were free. */
static void posix_message_of_another_length_is_damage(void **state)
{
	unsigned char message[BYTES - 1] = "";
	int lowest = dup(STDIN_FILENO);
	void *channel;

	(void)state;
	close(lowest);
	channel = create(&mech_posix_mq);
	for (int fd = lowest; fd < lowest + 2; fd++)
		assert_int_equal(
			mq_send(fd, (char *)message, sizeof(message), 0), 0);
	assert_int_equal(receive_alone(&mech_posix_mq, channel), -EBADMSG);
}

static void sysv_message_of_another_length_is_damage(void **state)
{
	const struct {
		long type;
		unsigned char bytes[BYTES - 1];
	} message = {.type = 1};
	void *channel = create(&mech_sysv_mq);
	struct msqid_ds status;
	struct msginfo info;
	int highest, queue, sent = 0;

	(void)state;
	highest = msgctl(0, MSG_INFO, (struct msqid_ds *)&info);
	for (int i = 0; i <= highest; i++) {
		queue = msgctl(i, MSG_STAT, &status);
		/* In the sandbox there are no others. */
		if (queue >= 0 && status.msg_cbytes == 0)
			sent += msgsnd(queue, &message, sizeof(message.bytes),
				       IPC_NOWAIT) == 0;
	}
	assert_int_equal(sent, 2);
	assert_int_equal(receive_alone(&mech_sysv_mq, channel), -EBADMSG);
}

/* ---- strangers ---- */

static bool has_stranger;
static int stranger = -1;

int __real_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
	if (has_stranger) {
		stranger = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(__real_connect(stranger, address, size), 0);
	}
	return __real_connect(fd, address, size);
}

static void connection_of_a_stranger_is_not_taken_for_ours(void **state)
{
	struct pollfd poll_in = {.events = POLLIN};
	unsigned char message[BYTES] = "ours", got[BYTES] = "";
	struct ends *e;

	(void)state;
	has_stranger = true;
	e = create(&mech_tcp);
	has_stranger = false;
	assert_int_equal(write(e->out[MECHANISM_A], message, BYTES), BYTES);
	poll_in.fd = e->in[MECHANISM_B];
	assert_int_equal(poll(&poll_in, 1, 10000), 1);
	assert_int_equal(read(e->in[MECHANISM_B], got, BYTES), BYTES);
	assert_string_equal((char *)got, "ours");
	poll_in.fd = stranger; /* is sent away */
	assert_int_equal(poll(&poll_in, 1, 10000), 1);
	assert_true(read(stranger, got, BYTES) <= 0);
	close(stranger);
	mech_tcp.destroy(e);
}

static void no_side_of_a_connection_waits_for_more_to_send(void **state)
{
	struct ends *e = create(&mech_tcp);

	(void)state;
	for (int side = MECHANISM_A; side <= MECHANISM_B; side++) {
		int on = 0;
		socklen_t size = sizeof(on);

		assert_int_equal(getsockopt(e->out[side], IPPROTO_TCP,
					    TCP_NODELAY, &on, &size),
				 0);
		assert_true(on);
	}
	mech_tcp.destroy(e);
}

/* Behind the back of who made a FIFO something else is put in its place. */
static enum intruder { NOTHING, A_FILE, ANOTHER_USERS } in_its_place;

int __real_mkfifo(const char *path, mode_t mode);
int __wrap_mkfifo(const char *path, mode_t mode);

int __wrap_mkfifo(const char *path, mode_t mode)
{
	int rc = __real_mkfifo(path, mode);

	if (in_its_place == A_FILE) {
		unlink(path);
		close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	} else if (in_its_place == ANOTHER_USERS) {
		assert_int_equal(chown(path, 65534, 65534), 0);
	}
	return rc;
}

static int create_fifo_with(enum intruder what)
{
	void *channel = NULL;
	int error;

	in_its_place = what;
	error = mech_fifo.create(&channel, BYTES);
	in_its_place = NOTHING;
	assert_null(channel);
	return error;
}

static void what_lies_in_the_place_of_a_fifo_is_refused(void **state)
{
	(void)state;
	assert_int_equal(create_fifo_with(A_FILE), -EPERM);
	support_need_second_user();
	assert_int_equal(create_fifo_with(ANOTHER_USERS), -EPERM);
}

/* ---- limits ---- */

/* What machine_limit_read() is to say, 0: what is so. */
static int64_t limits[MACHINE_LIMITS];

int64_t __real_machine_limit_read(enum machine_limit limit);
int64_t __wrap_machine_limit_read(enum machine_limit limit);

int64_t __wrap_machine_limit_read(enum machine_limit limit)
{
	return limits[limit] ? limits[limit] : __real_machine_limit_read(limit);
}

static int check(const struct mechanism *m, size_t bytes, char why[200])
{
	int error;

	why[0] = '\0';
	error = m->check(bytes, why, 200);
	memset(limits, 0, sizeof(limits));
	return error;
}

static void sysv_queue_that_is_smaller_than_a_message_is_named(void **state)
{
	char why[200];

	(void)state;
	limits[MACHINE_MSGMAX] = 8192;
	limits[MACHINE_MSGMNB] = 4096;
	assert_int_equal(check(&mech_sysv_mq, 5000, why), -EMSGSIZE);
	assert_string_equal(why, "queue limit 4096 bytes; raise: sysctl -w "
				 "kernel.msgmnb=5000");
	limits[MACHINE_MSGMAX] = limits[MACHINE_MSGMNB] = 8192;
	assert_int_equal(check(&mech_sysv_mq, 8192, why), 0);
}

/* By default a buffer has SNDBUF; who asks for more gets up to twice the MAX. */
static void seqpacket_has_room_by_the_larger_of_two_limits(void **state)
{
	static const struct {
		int64_t max, as_is, room;
	} cases[] = {{50000, 300000, 300000}, {200000, 300000, 400000}};
	char why[200], wanted[200];

	(void)state;
	for (int i = 0; i < 2; i++) {
		const size_t most = (size_t)cases[i].room - 4096;

		for (size_t beyond = 0; beyond < 2; beyond++) {
			limits[MACHINE_SNDBUF_MAX] = cases[i].max;
			limits[MACHINE_SNDBUF] = cases[i].as_is;
			assert_int_equal(
				check(&mech_unix_seqpacket, most + beyond, why),
				beyond ? -EMSGSIZE : 0);
		}
		snprintf(wanted, sizeof(wanted),
			 "message limit %zu bytes; raise: sysctl -w "
			 "net.core.wmem_max=%zu",
			 most, most + 1 + 4096);
		assert_string_equal(why, wanted);
	}
}

/* How many messages all queues of this user may have room for; -1: as it is. Of
 * RLIMIT_MSGQUEUE other tests of this user take their part, too. */
static long messages_left = -1;

mqd_t __real_mq_open(const char *name, int flags, ...);
mqd_t __wrap_mq_open(const char *name, int flags, mode_t mode,
		     struct mq_attr *attr);
int __real_mq_close(mqd_t queue);
int __wrap_mq_close(mqd_t queue);

mqd_t __wrap_mq_open(const char *name, int flags, mode_t mode,
		     struct mq_attr *attr)
{
	if (messages_left >= 0) {
		if (attr->mq_maxmsg > messages_left) {
			errno = EMFILE;
			return (mqd_t)-1;
		}
		messages_left -= attr->mq_maxmsg;
	}
	return __real_mq_open(name, flags, mode, attr);
}

int __wrap_mq_close(mqd_t queue)
{
	struct mq_attr attr;

	if (messages_left >= 0 && mq_getattr(queue, &attr) == 0)
		messages_left += attr.mq_maxmsg;
	return __real_mq_close(queue);
}

/* The first does not take what the second needs. */
static void both_posix_queues_are_equally_deep(void **state)
{
	int lowest = dup(STDIN_FILENO);
	struct mq_attr a, b;
	void *channel;

	(void)state;
	close(lowest);
	for (long most = 2; most < 12; most++) {
		messages_left = most;
		channel = create(&mech_posix_mq);
		assert_int_equal(mq_getattr(lowest, &a), 0);
		assert_int_equal(mq_getattr(lowest + 1, &b), 0);
		assert_int_equal(a.mq_maxmsg, b.mq_maxmsg);
		/* Twice as deep, of which half may be rounded, is too much. */
		assert_true(2 * (2 * a.mq_maxmsg + 1) > most);
		mech_posix_mq.destroy(channel);
		assert_int_equal(messages_left, most);
	}
	messages_left = 1;
	assert_int_equal(mech_posix_mq.create(&channel, BYTES), -EMFILE);
	assert_int_equal(messages_left, 1);
	messages_left = -1;
}

#define CASE(name) \
	cmocka_unit_test_setup_teardown(name, leftover_setup, leftover_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(signals_do_not_end_a_wait_for_a_message),
		CASE(half_a_message_is_the_end),
		CASE(end_with_something_unread_is_an_end),
		CASE(packet_of_another_length_is_damage),
		CASE(posix_message_of_another_length_is_damage),
		CASE(sysv_message_of_another_length_is_damage),
		CASE(connection_of_a_stranger_is_not_taken_for_ours),
		CASE(no_side_of_a_connection_waits_for_more_to_send),
		CASE(what_lies_in_the_place_of_a_fifo_is_refused),
		CASE(sysv_queue_that_is_smaller_than_a_message_is_named),
		CASE(seqpacket_has_room_by_the_larger_of_two_limits),
		CASE(both_posix_queues_are_equally_deep),
	};

	return SUPPORT_MAIN(tests);
}
