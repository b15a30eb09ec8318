/* kill -9 at random points, between pauses at random: the survivor is told of
 * the death and of no pause, nothing is lost, doubled or torn, and a successor
 * goes on.
 * timeout: 900 */
#include "p12-shm-ring/ring.h"

#include "tests/support/support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/measure/payload.h"
#include "lib/rng.h"
#include "lib/tick.h"
#include "tests/support/leftover.h"

#define NAME "/p12-kill-stress-test"

enum { LONGEST = 700 };

/* A second is what users are promised; a busy machine gets more. */
#define NOTICE (20 * TICK_S)

/* What a victim says of itself, in memory that outlives it: a count before and
 * one after each step that it may be killed in. */
struct board {
	_Atomic uint64_t begun, done;
};

static struct board *board;
static struct rng rng;

struct victim {
	uint64_t seed;
	int64_t life_ns;
	struct ring_options options;
	uint64_t generation;
};

static int rounds(void)
{
	return support_is_stress() ? 400 : 10;
}

static struct victim next_victim(uint64_t generation)
{
	return (struct victim){
		.seed = rng_next(&rng),
		.life_ns = 1 + (int64_t)rng_below(&rng, 3 * TICK_MS),
		.options = {.capacity = 4096,
			    .wait = (enum ring_wait)rng_below(&rng, 3)},
		.generation = generation,
	};
}

/* The kernel kills us, whatever we are doing then. */
static int arm(int64_t life_ns)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
				 .sigev_signo = SIGKILL};
	struct itimerspec when = {.it_value = tick_to_timespec(life_ns)};
	timer_t timer;

	return timer_create(CLOCK_MONOTONIC, &event, &timer) ||
	       timer_settime(timer, 0, &when, NULL);
}

static size_t length_of(uint64_t number)
{
	return PAYLOAD_MIN + (size_t)(number * 2654435761U >> 7) % LONGEST;
}

/* Stops the victim and lets it go on, until it is dead. The descriptor is the
 * victim's and nobody else's, also when its number has been given away. */
static void *pause_at_random(void *arg)
{
	const int *pidfd = arg;
	struct rng own;

	rng_seed(&own, (uint64_t)*pidfd);
	while (syscall(SYS_pidfd_send_signal, *pidfd, SIGSTOP, NULL, 0) == 0) {
		tick_sleep_until(tick_after((int64_t)rng_below(&own, TICK_MS)));
		syscall(SYS_pidfd_send_signal, *pidfd, SIGCONT, NULL, 0);
		tick_sleep_until(tick_after((int64_t)rng_below(&own, TICK_MS)));
	}
	return NULL;
}

static pthread_t pauser;
static int paused_pidfd = -1;

static void start(int (*body)(void *), struct victim *victim, pid_t *pid)
{
	atomic_store(&board->begun, 0);
	atomic_store(&board->done, 0);
	assert_int_equal(child_fork(body, victim, pid), 0);
	/* Without pidfds (before Linux 5.3) it is killed without pauses. */
	paused_pidfd = (int)syscall(SYS_pidfd_open, *pid, 0);
	if (paused_pidfd >= 0)
		assert_int_equal(pthread_create(&pauser, NULL, pause_at_random,
						&paused_pidfd),
				 0);
}

/* To be called when the victim has been waited for. */
static void end_pauses(void)
{
	if (paused_pidfd < 0)
		return;
	assert_int_equal(pthread_join(pauser, NULL), 0);
	close(paused_pidfd);
	paused_pidfd = -1;
}

/* The survivor was told of a death: of this victim's, or, as it has not come
 * yet, still of the one before? To be asked again until it says so. */
static bool is_over(pid_t pid, bool *is_dead)
{
	const bool was_dead = *is_dead;
	int status = 0;

	if (was_dead)
		return true;
	*is_dead = child_wait(pid, tick_after(TICK_MS), &status) == 0;
	if (*is_dead) {
		assert_int_equal(child_exit_code(status), 128 + SIGKILL);
		end_pauses();
	}
	return false;
}

static struct ring *enter(enum ring_side side, const struct ring_options *o)
{
	struct ring *ring = NULL;

	assert_int_equal(ring_open(&ring, NAME, side, o, tick_after(NOTICE)),
			 0);
	return ring;
}

/* ---- a sender is killed ---- */

static int send_until_killed(void *arg)
{
	const struct victim *victim = arg;
	const uint64_t first = victim->generation << 32;
	struct ring *ring;
	struct rng own;
	void *message;

	rng_seed(&own, victim->seed);
	if (ring_open(&ring, NAME, RING_SENDER, &victim->options,
		      tick_after(NOTICE)) ||
	    arm(victim->life_ns))
		return 1;
	for (uint64_t n = 0;; n++) {
		const size_t len = length_of(first + n);

		if (ring_reserve(ring, len, &message, tick_after(NOTICE)))
			return 2;
		payload_write(message, len, first + n);
		atomic_store(&board->begun, n + 1);
		if (rng_below(&own, 3) == 0) {
			ring_commit_later(ring, len);
		} else {
			ring_commit(ring, len);
			atomic_store(&board->done, n + 1);
		}
	}
}

static uint64_t receive_all_of(struct ring *ring, uint64_t generation,
			       pid_t pid)
{
	uint64_t received = 0, sequence;
	bool is_dead = false;
	void *message;
	ssize_t len;

	for (;;) {
		len = ring_peek(ring, &message, tick_after(NOTICE));
		if (len == -EOWNERDEAD && is_over(pid, &is_dead))
			return received;
		if (len == -EOWNERDEAD)
			continue;
		assert_true(len > 0);
		assert_int_equal(payload_check(message, (size_t)len, &sequence),
				 0);
		assert_int_equal(sequence, (generation << 32) + received);
		assert_int_equal(len, length_of(sequence));
		ring_release(ring);
		received++;
	}
}

static void killed_senders_lose_nothing_that_they_committed(void **state)
{
	const struct ring_options options = {.capacity = 4096};
	struct ring *rx = enter(RING_RECEIVER, &options);
	uint64_t received;
	pid_t pid = 0;

	(void)state;
	for (int i = 0; i < rounds(); i++) {
		struct victim victim = next_victim((uint64_t)i);

		start(send_until_killed, &victim, &pid);
		received = receive_all_of(rx, (uint64_t)i, pid);
		assert_true(received >= atomic_load(&board->done));
		assert_true(received <= atomic_load(&board->begun));
	}
	ring_close(rx);
	assert_int_equal(ring_remove(NAME), 0);
}

/* ---- a receiver is killed ---- */

static int receive_until_killed(void *arg)
{
	const struct victim *victim = arg;
	struct ring *ring;
	uint64_t sequence;
	void *message;
	ssize_t len;

	if (ring_open(&ring, NAME, RING_RECEIVER, &victim->options,
		      tick_after(NOTICE)) ||
	    arm(victim->life_ns))
		return 1;
	for (uint64_t n = victim->generation;; n++) {
		len = ring_peek(ring, &message, tick_after(NOTICE));
		if (len < 0)
			return 2;
		if (payload_check(message, (size_t)len, &sequence) ||
		    (size_t)len != length_of(sequence))
			return 3;
		/* The first may be one that our predecessor had released
		 * without saying so. */
		if (sequence == n + 1 && n == victim->generation)
			n++;
		if (sequence != n)
			return 4;
		atomic_store(&board->begun, n + 1);
		ring_release(ring);
	}
}

static uint64_t send_until_alone(struct ring *ring, uint64_t next, pid_t pid)
{
	bool is_dead = false;
	void *message;
	int rc;

	for (;;) {
		rc = ring_reserve(ring, length_of(next), &message,
				  tick_after(NOTICE));
		if (rc == -EOWNERDEAD && is_over(pid, &is_dead))
			return next;
		if (rc == -EOWNERDEAD)
			continue;
		assert_int_equal(rc, 0);
		payload_write(message, length_of(next), next);
		ring_commit(ring, length_of(next));
		next++;
	}
}

static void killed_receivers_successors_get_every_message_once(void **state)
{
	const struct ring_options options = {.capacity = 4096};
	struct ring *tx = enter(RING_SENDER, &options);
	uint64_t next = 0, released = 0;
	pid_t pid = 0;

	(void)state;
	for (int i = 0; i < rounds(); i++) {
		struct victim victim = next_victim(released);

		start(receive_until_killed, &victim, &pid);
		next = send_until_alone(tx, next, pid);
		/* The last one it may have released, or not. */
		if (atomic_load(&board->begun))
			released = atomic_load(&board->begun) - 1;
	}
	ring_close(tx);
	assert_int_equal(ring_remove(NAME), 0);
}

/* ---- somebody is killed who comes or goes ---- */

static int come_and_go_until_killed(void *arg)
{
	const struct victim *victim = arg;
	struct ring_options options = victim->options;
	struct ring *ring;

	options.is_fresh = true;
	if (arm(victim->life_ns))
		return 1;
	for (;;) {
		if (ring_open(&ring, NAME, RING_SENDER, &options,
			      tick_after(NOTICE)))
			return 2;
		ring_send(ring, "x", 1, 0);
		ring_close(ring);
		ring_remove(NAME);
	}
}

static void killed_while_coming_or_going_the_name_can_be_used(void **state)
{
	pid_t pid = 0;
	int status = 0;

	(void)state;
	for (int i = 0; i < 4 * rounds(); i++) {
		struct victim victim = next_victim(0);
		struct ring *tx;

		start(come_and_go_until_killed, &victim, &pid);
		assert_int_equal(child_wait(pid, tick_after(NOTICE), &status),
				 0);
		assert_int_equal(child_exit_code(status), 128 + SIGKILL);
		end_pauses();
		tx = enter(RING_SENDER, &victim.options);
		assert_int_equal(ring_send(tx, "y", 1, 0), 0);
		ring_close(tx);
		assert_int_equal(ring_remove(NAME), 0);
	}
}

static struct leftover before;

static int prepare(void **state)
{
	(void)state;
	before = leftover_count();
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	rng_seed(&rng, support_is_stress() ? (uint64_t)tick_now() : 12);
	return board == MAP_FAILED;
}

static int compare(void **state)
{
	(void)state;
	munmap(board, sizeof(*board));
	leftover_assert_same(&before);
	return 0;
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, prepare, compare)
	const struct CMUnitTest tests[] = {
		CASE(killed_senders_lose_nothing_that_they_committed),
		CASE(killed_receivers_successors_get_every_message_once),
		CASE(killed_while_coming_or_going_the_name_can_be_used),
	};

	return SUPPORT_MAIN(tests);
}
