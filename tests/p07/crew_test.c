/* p07-prodcons/cmd/crew.h with processes: to the end, with some of them killed,
 * and stuck. */
#include "p07-prodcons/cmd/crew.h"

#include "tests/p07/fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "p07-prodcons/cmd/result.h"

#define QUIET (10 * TICK_S)

static struct role_plan plan(uint32_t producers, uint32_t consumers,
			     uint64_t items)
{
	return (struct role_plan){.members = {producers, consumers},
				  .items = items,
				  .is_quiet = true};
}

static void start(struct crew *crew, const struct role_plan *plan,
		  uint32_t buffer_size)
{
	assert_int_equal(crew_init(crew, plan, buffer_size, true), 0);
	assert_int_equal(crew_start(crew), 0);
}

/* Watch it to its end, and judge. */
static struct audit_verdict end(struct crew *crew)
{
	struct audit_verdict verdict;
	struct audit_deaths deaths;
	char who[256];

	if (crew_watch(crew, QUIET, -1)) {
		crew_describe(crew, who, sizeof(who));
		crew_kill(crew);
		fail_msg("deadlock: %s", who);
	}
	assert_int_equal(crew_reap(crew, &deaths), 0);
	audit_judge(crew->audit, &deaths, &verdict);
	assert_string_equal(verdict.wrong, "");
	assert_true(verdict.is_explained);
	return verdict;
}

static bool has_steps(void *arg)
{
	return audit_steps(((struct crew *)arg)->audit) > 20;
}

static void processes_pass_every_item_once_and_in_order(void **state)
{
	struct role_plan some = plan(3, 2, 5000);
	struct audit_verdict verdict;
	struct crew crew;

	(void)state;
	some.is_random = true;
	some.seed = 5;
	for (uint32_t size = 1; size <= 100; size *= 10) {
		start(&crew, &some, size);
		verdict = end(&crew);
		assert_int_equal(verdict.consumed, some.items);
		assert_int_equal(fixture_look(&crew.buffer).mended, 0);
		crew_fini(&crew);
	}
}

static void counts_beyond_the_limits_are_refused(void **state)
{
	const struct role_plan bad[] = {
		plan(0, 1, 1),
		plan(1, 0, 1),
		plan(1, 1, 0),
		plan(AUDIT_MEMBERS_MAX + 1, 1, 1),
		plan(1, AUDIT_MEMBERS_MAX + 1, 1),
		plan(1, 1, AUDIT_ITEMS_MAX + 1),
	};
	const struct role_plan good = plan(1, 1, 1);
	struct crew crew;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(crew_init(&crew, &bad[i], 10, true), -EINVAL);
	assert_int_equal(crew_init(&crew, &good, 0, true), -EINVAL);
	assert_int_equal(
		crew_init(&crew, &good, BOUNDED_CAPACITY_MAX + 1, true),
		-EINVAL);
}

/* Where the limit leaves room for one pipe, and for a bit of the other. */
static void without_descriptors_nothing_is_left(void **state)
{
	const struct role_plan good = plan(1, 1, 1);
	int fds = support_count_fds(), lowest = dup(0), error;
	struct rlimit old, few;
	struct crew crew;

	(void)state;
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = (rlim_t)lowest + 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	error = crew_init(&crew, &good, 10, true);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(error, -EMFILE);
	assert_null(crew.shared);
	assert_null(crew.member);
	assert_int_equal(support_count_fds(), fds);
}

static void killed_producer_loses_its_own_items_alone(void **state)
{
	struct role_plan many = plan(2, 1, 20000);
	struct audit_verdict verdict;
	struct crew crew;

	(void)state;
	many.delay_ns[ROLE_CONSUMER] = TICK_MS;
	start(&crew, &many, 8);
	assert_true(support_wait_until(has_steps, &crew, 10000));
	/* P1 and P2: no producer is left, and the run ends. */
	kill(crew.member[0].pid, SIGKILL);
	kill(crew.member[1].pid, SIGKILL);
	verdict = end(&crew);
	assert_true(verdict.consumed > 0);
	assert_true(verdict.unmade.count > 0);
	assert_int_equal(verdict.gone.count, 0);
	assert_true(verdict.unput.count <= 2);
	crew_fini(&crew);
}

static void killed_consumer_loses_one_item_at_most(void **state)
{
	struct role_plan many = plan(2, 2, 4000);
	struct audit_verdict verdict;
	struct crew crew;

	(void)state;
	many.delay_ns[ROLE_PRODUCER] = 100 * TICK_US;
	start(&crew, &many, 8);
	assert_true(support_wait_until(has_steps, &crew, 10000));
	kill(crew.member[2].pid, SIGKILL);
	verdict = end(&crew);
	assert_int_equal(verdict.unmade.count, 0);
	assert_true(verdict.gone.count <= 1);
	assert_true(verdict.consumed >= many.items - 1);
	crew_fini(&crew);
}

static void producers_give_up_when_no_consumer_is_left(void **state)
{
	struct role_plan many = plan(2, 2, 20000);
	struct audit_verdict verdict;
	struct crew crew;

	(void)state;
	many.delay_ns[ROLE_PRODUCER] = TICK_MS;
	start(&crew, &many, 8);
	assert_true(support_wait_until(has_steps, &crew, 10000));
	kill(crew.member[2].pid, SIGKILL);
	kill(crew.member[3].pid, SIGKILL);
	verdict = end(&crew);
	assert_true(verdict.unmade.count > 0);
	assert_int_equal(crew.slot[0].error, -EPIPE);
	assert_int_equal(crew.slot[1].error, -EPIPE);
	crew_fini(&crew);
}

/* Start one, damage its buffer, and watch it to its end. */
static void damage(struct crew *crew)
{
	struct role_plan many = plan(2, 2, 20000);

	many.delay_ns[ROLE_PRODUCER] = TICK_MS;
	start(crew, &many, 8);
	assert_true(support_wait_until(has_steps, crew, 10000));
	fixture_lock(&crew->buffer);
	atomic_store(&crew->buffer.state->taken, UINT64_MAX / 2);
	pthread_mutex_unlock(&crew->buffer.state->lock);
	assert_int_equal(crew_watch(crew, QUIET, -1), 0);
}

static void damaged_buffer_ends_the_run(void **state)
{
	struct audit_deaths deaths;
	struct crew crew;

	(void)state;
	damage(&crew);
	assert_int_equal(crew_reap(&crew, &deaths), -EBADMSG);
	for (uint32_t i = 0; i < crew.members; i++)
		assert_int_equal(crew.slot[i].error, -EBADMSG);
	crew_fini(&crew);
}

struct printing {
	const struct result *result;
	const struct crew *crew;
	int fd;
};

/* As the command does; 7 for what is right. */
static int print(void *arg)
{
	const struct printing *printing = arg;
	bool is_right;

	dup2(printing->fd, STDOUT_FILENO);
	is_right = result_print(printing->result, printing->crew);
	fflush(stdout);
	return is_right ? 7 : 0;
}

static void damaged_buffer_is_the_verdict(void **state)
{
	struct printing printing;
	struct result result = {0};
	char text[2000] = "";
	struct crew crew;
	int fds[2];

	(void)state;
	damage(&crew);
	assert_int_equal(result_collect(&result, &crew), 0);
	assert_int_equal(pipe(fds), 0);
	printing = (struct printing){&result, &crew, fds[1]};
	assert_int_equal(support_child_status(print, &printing, 20000), 0);
	close(fds[1]);
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	close(fds[0]);
	assert_non_null(strstr(text, "C2 failed: the buffer is damaged; it "));
	assert_non_null(strstr(text, "FAIL: P1 failed: the buffer is damaged"));
	crew_fini(&crew);
}

/* Whose counters are right, but what comes out of it was put by nobody. */
static void what_is_no_item_ends_who_takes_it(void **state)
{
	struct role_plan many = plan(1, 1, 20000);
	struct audit_verdict verdict;
	struct audit_deaths deaths;
	struct crew crew;

	(void)state;
	assert_int_equal(crew_init(&crew, &many, 8, true), 0);
	assert_int_equal(bounded_put(&crew.buffer, &(struct audit_item){0},
				     tick_after(LIMIT)),
			 0);
	assert_int_equal(crew_start(&crew), 0);
	assert_int_equal(crew_watch(&crew, QUIET, -1), 0);
	assert_int_equal(crew_reap(&crew, &deaths), 0);
	audit_judge(crew.audit, &deaths, &verdict);
	assert_string_equal(verdict.wrong, "C1 took something that is no item");
	assert_int_equal(crew.slot[1].error, -EBADMSG);
	assert_int_equal(verdict.consumed, 0);
	crew_fini(&crew);
}

struct said {
	struct crew *crew;
	const char *text;
};

static bool is_said(void *arg)
{
	struct said *said = arg;
	char who[256];

	return strcmp(crew_describe(said->crew, who, sizeof(who)),
		      said->text) == 0;
}

static void expect_stuck(struct crew *crew, const char *text)
{
	struct said said = {crew, text};

	assert_true(support_wait_until(is_said, &said, 20000));
	assert_int_equal(crew_watch(crew, TICK_S / 10, -1), -ETIMEDOUT);
	/* Who was slow may only now have come to where it stays. */
	assert_true(support_wait_until(is_said, &said, 20000));
}

/* Two consumers in a long pause: both producers run into the full buffer. */
static void deadlock_is_told_with_who_waits_for_what(void **state)
{
	struct role_plan many = plan(2, 2, 1000);
	struct crew crew;

	(void)state;
	many.delay_ns[ROLE_CONSUMER] = 100 * TICK_S;
	start(&crew, &many, 4);
	expect_stuck(&crew, "P1, P2 wait for room; C1, C2 are elsewhere");
	/* The dead wait for nothing. */
	kill(crew.member[0].pid, SIGKILL);
	kill(crew.member[2].pid, SIGKILL);
	expect_stuck(&crew, "P2 waits for room; C2 is elsewhere");
	crew_kill(&crew);
	crew_fini(&crew);
}

static void of_many_who_wait_eight_are_named(void **state)
{
	struct role_plan many = plan(10, 1, 1000);
	struct crew crew;

	(void)state;
	many.delay_ns[ROLE_CONSUMER] = 100 * TICK_S;
	start(&crew, &many, 4);
	expect_stuck(&crew, "P1, P2, P3, P4, P5, P6, P7, P8 and 2 more "
			    "wait for room; C1 is elsewhere");
	for (int i = 8; i < 10; i++)
		kill(crew.member[i].pid, SIGKILL);
	expect_stuck(&crew, "P1, P2, P3, P4, P5, P6, P7, P8 wait for room; "
			    "C1 is elsewhere");
	crew_kill(&crew);
	crew_fini(&crew);
}

/* Whoever waits in vain, steps_on is a step further then, so often. */
static struct crew *steps_on;
static int steps_left, stop_then;

int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	int ready = __real_poll(fds, n, timeout_ms);

	if (steps_on && ready == 0) {
		const struct audit_item item =
			audit_produce(steps_on->audit, 1, 1);

		audit_put(steps_on->audit, &item);
		if (--steps_left == 0)
			close(stop_then);
	}
	return ready;
}

/* However long it takes in all. */
static void who_gets_on_slowly_is_not_dead(void **state)
{
	struct role_plan many = plan(1, 1, 1000);
	struct crew crew;
	int stop[2];

	(void)state;
	many.delay_ns[ROLE_CONSUMER] = 100 * TICK_S;
	start(&crew, &many, 4);
	assert_true(support_wait_until(
		is_said,
		&(struct said){&crew, "P1 waits for room; C1 is elsewhere"},
		20000));
	assert_int_equal(pipe(stop), 0);
	stop_then = stop[1];
	steps_left = 2;
	steps_on = &crew;
	assert_int_equal(crew_watch(&crew, TICK_S / 5, stop[0]), -EINTR);
	assert_int_equal(steps_left, 0);
	steps_on = NULL;
	close(stop[0]);
	crew_kill(&crew);
	crew_fini(&crew);
}

static void stop_ends_the_watch(void **state)
{
	struct role_plan many = plan(1, 1, 1000);
	int stop[2], fds = support_count_fds();
	struct crew crew;

	(void)state;
	many.delay_ns[ROLE_CONSUMER] = 100 * TICK_S;
	start(&crew, &many, 4);
	assert_int_equal(pipe(stop), 0);
	close(stop[1]);
	assert_int_equal(crew_watch(&crew, QUIET, stop[0]), -EINTR);
	close(stop[0]);
	crew_kill(&crew);
	crew_fini(&crew);
	assert_int_equal(support_count_fds(), fds);
}

/* ---- a member that cannot be started ---- */

static int forks_left = -1;
static int threads_with_signals; /* that were to be started so */

int __real_child_fork(int (*body)(void *), void *arg, pid_t *pid);
int __wrap_child_fork(int (*body)(void *), void *arg, pid_t *pid);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*body)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*body)(void *), void *arg);

int __wrap_child_fork(int (*body)(void *), void *arg, pid_t *pid)
{
	return forks_left == 0 || forks_left-- == 0
		       ? -EAGAIN
		       : __real_child_fork(body, arg, pid);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
			  void *(*body)(void *), void *arg)
{
	sigset_t blocked;

	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	threads_with_signals += !sigismember(&blocked, SIGTERM);
	return forks_left == 0 || forks_left-- == 0
		       ? EAGAIN
		       : __real_pthread_create(thread, attr, body, arg);
}

static void signals_are_for_the_one_who_watches(void **state)
{
	const struct role_plan some = plan(2, 2, 10);
	sigset_t blocked;
	struct crew crew;

	(void)state;
	assert_int_equal(crew_init(&crew, &some, 2, false), 0);
	assert_int_equal(crew_start(&crew), 0);
	assert_int_equal(end(&crew).consumed, 10);
	crew_fini(&crew);
	assert_int_equal(threads_with_signals, 0);
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	assert_false(sigismember(&blocked, SIGTERM));
}

static void start_that_fails_ends_those_who_had_started(void **state)
{
	const struct role_plan many = plan(3, 3, 100000);

	(void)state;
	for (int i = 0; i < 12; i++) {
		int fds = support_count_fds();
		bool uses_processes = i % 2;
		struct crew crew;

		assert_int_equal(crew_init(&crew, &many, 2, uses_processes), 0);
		forks_left = i / 2;
		assert_int_equal(crew_start(&crew), -EAGAIN);
		forks_left = -1;
		crew_fini(&crew);
		assert_int_equal(support_count_fds(), fds);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_pass_every_item_once_and_in_order),
		cmocka_unit_test(counts_beyond_the_limits_are_refused),
		cmocka_unit_test(without_descriptors_nothing_is_left),
		cmocka_unit_test(killed_producer_loses_its_own_items_alone),
		cmocka_unit_test(killed_consumer_loses_one_item_at_most),
		cmocka_unit_test(producers_give_up_when_no_consumer_is_left),
		cmocka_unit_test(damaged_buffer_ends_the_run),
		cmocka_unit_test(damaged_buffer_is_the_verdict),
		cmocka_unit_test(what_is_no_item_ends_who_takes_it),
		cmocka_unit_test(deadlock_is_told_with_who_waits_for_what),
		cmocka_unit_test(of_many_who_wait_eight_are_named),
		cmocka_unit_test(who_gets_on_slowly_is_not_dead),
		cmocka_unit_test(stop_ends_the_watch),
		cmocka_unit_test(signals_are_for_the_one_who_watches),
		cmocka_unit_test(start_that_fails_ends_those_who_had_started),
	};
	return SUPPORT_MAIN(tests);
}
