/* measure_fixture.h - a pipe that can be made to misbehave in one of the
 * sides, and weather that a test makes: link with --wrap for getrusage and
 * pread. One test program includes it once. */
#ifndef UNIXIPC_TESTS_P06_MEASURE_FIXTURE_H
#define UNIXIPC_TESTS_P06_MEASURE_FIXTURE_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/measure/measure.h"
#include "lib/tick.h"
#include "p06-bench/table.h"
#include "tests/support/support.h"

enum fault {
	NO_FAULT,
	FLIP_A_BIT,
	LOSE_A_MESSAGE,
	SEND_TWICE,
	FAIL,
	DIE,
	HANG,
	ASK_TO_STOP,
};

/* Set by a case, inherited by the sides. */
static struct {
	enum fault fault;
	enum mechanism_side side;    /* in which it happens */
	uint64_t at;                 /* at which of its messages */
	int64_t send_ns, receive_ns; /* how long each takes at least */
	int stop_writer;
	int create_error, check_error;

	/* Involuntary switches of side A: one from this message on, or 100
	 * more whenever it asks. */
	uint64_t switch_at;
	bool switches_always;
} plan;

static enum mechanism_side my_side;
static uint64_t n_sent;

/* The weather is ours to make: no involuntary switch but those of the plan,
 * and an empty /proc/stat. */
int __real_getrusage(int who, struct rusage *ru);
int __wrap_getrusage(int who, struct rusage *ru);
int __wrap_getrusage(int who, struct rusage *ru)
{
	static long asked;
	int r = __real_getrusage(who, ru);

	ru->ru_nivcsw = 0;
	if (my_side == MECHANISM_A && plan.switches_always)
		ru->ru_nivcsw = 100 * ++asked;
	else if (my_side == MECHANISM_A && plan.switch_at)
		ru->ru_nivcsw = n_sent >= plan.switch_at;
	return r;
}

ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t offset);
ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t offset)
{
	(void)fd;
	(void)buf;
	(void)len;
	(void)offset;
	return 0;
}

static inline int faulty_check(size_t message_bytes, char *why, size_t why_size)
{
	(void)message_bytes;
	if (plan.check_error)
		snprintf(why, why_size, "limit 5 bytes; raise: nothing");
	return plan.check_error;
}

static inline int faulty_create(void **channel, size_t message_bytes)
{
	if (plan.create_error)
		return plan.create_error;
	return mech_pipe.create(channel, message_bytes);
}

static inline int faulty_attach(void *channel, enum mechanism_side side)
{
	my_side = side;
	n_sent = 0;
	return mech_pipe.attach(channel, side);
}

static inline int faulty_send(void *channel, const void *message)
{
	unsigned char damaged[1024];

	if (plan.send_ns)
		tick_sleep_until(tick_after(plan.send_ns));
	if (n_sent++ != plan.at || plan.fault == NO_FAULT ||
	    my_side != plan.side)
		return mech_pipe.send(channel, message);
	switch (plan.fault) {
	case FLIP_A_BIT:
		memcpy(damaged, message, sizeof(damaged));
		damaged[777] ^= 1;
		return mech_pipe.send(channel, damaged);
	case LOSE_A_MESSAGE:
		return 0;
	case SEND_TWICE:
		mech_pipe.send(channel, message);
		return mech_pipe.send(channel, message);
	case FAIL:
		return -EIO;
	case DIE:
		raise(SIGKILL);
		return 0;
	case ASK_TO_STOP:
		fdio_write_full(plan.stop_writer, "!", 1);
		pause();
		return 0;
	default:
		pause();
		return 0;
	}
}

static inline int faulty_receive(void *channel, void *message)
{
	if (plan.receive_ns)
		tick_sleep_until(tick_after(plan.receive_ns));
	return mech_pipe.receive(channel, message);
}

static inline void faulty_destroy(void *channel)
{
	mech_pipe.destroy(channel);
}

static const struct mechanism faulty = {
	.name = "faulty",
	.title = "Faulty Pipe",
	.summary = "a pipe with faults",
	.check = faulty_check,
	.create = faulty_create,
	.attach = faulty_attach,
	.send = faulty_send,
	.receive = faulty_receive,
	.destroy = faulty_destroy,
};

static int fds_before;

static inline int reset(void **state)
{
	(void)state;
	memset(&plan, 0, sizeof(plan));
	fds_before = support_count_fds();
	return 0;
}

/* No child and no descriptor may be left, whatever happened. */
static inline int assert_clean(void **state)
{
	(void)state;
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) {
		print_error("a child is left\n");
		return 1;
	}
	return support_count_fds() == fds_before ? 0 : 1;
}

static inline struct measure_options few(uint64_t iterations)
{
	struct measure_options o = MEASURE_OPTIONS_INIT;

	o.iterations = iterations;
	o.trials = 1;
	o.placement = MEASURE_UNPINNED;
	o.deadline = tick_after(60 * TICK_S);
	return o;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, reset, assert_clean)

#endif
