/* A process that is killed, or only stopped, while it waits for a shared lock:
 * it holds nothing, so nobody may notice. pthread_cond_broadcast waits for
 * such a one for ever, in the unlock of whoever holds the lock and with the
 * lock's own mutex taken, and then all hang, deadlines or not. */
#include "p08-rwlock/myrwlock.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/tick.h"
#include "p08-rwlock/cmd/exclusion.h"
#include "tests/support/support.h"

enum { MS = 30000, ROUNDS = 6 };

/* The promise: who waits beside one that is gone goes on within a second. */
#define PROMISE_NS TICK_S

struct plan {
	enum myrwlock_policy policy;
	bool is_writer; /* the victim */
	int signal;
};

/* Mapped by all. */
struct ground {
	struct myrwlock lock;
	struct exclusion exclusion;
	struct plan plan;
	atomic_uint entries;
	int64_t worst_ns;
	int error;
	const char *failed;
};

static struct ground *make_ground(struct plan plan)
{
	struct ground *ground =
		mmap(NULL, sizeof(*ground), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct myrwlock_attr attr;

	assert_ptr_not_equal(ground, MAP_FAILED);
	assert_int_equal(myrwlock_attr_init(&attr), 0);
	assert_int_equal(myrwlock_attr_setpolicy(&attr, (int)plan.policy), 0);
	assert_int_equal(
		myrwlock_attr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
	assert_int_equal(myrwlock_init(&ground->lock, &attr), 0);
	ground->plan = plan;
	return ground;
}

static int take(struct ground *ground, bool is_writer, int64_t deadline)
{
	struct timespec until = tick_to_timespec(deadline);

	return is_writer ? myrwlock_clockwrlock(&ground->lock, CLOCK_MONOTONIC,
						&until)
			 : myrwlock_clockrdlock(&ground->lock, CLOCK_MONOTONIC,
						&until);
}

/* ---- the victim, and those who wait and work beside it ---- */

static int wait_for_it(void *arg)
{
	struct ground *ground = arg;

	return ground->plan.is_writer ? myrwlock_wrlock(&ground->lock)
				      : myrwlock_rdlock(&ground->lock);
}

/* One entry, checked; each call within its deadline. */
static int visit(struct ground *ground, bool is_writer, const char *what)
{
	int64_t begun = tick_now();
	int rc = take(ground, is_writer, tick_after(PROMISE_NS));

	if (tick_now() - begun > ground->worst_ns)
		ground->worst_ns = tick_now() - begun;
	if (!rc && (!exclusion_enter(&ground->exclusion, is_writer) ||
		    !exclusion_leave(&ground->exclusion, is_writer)))
		rc = EILSEQ;
	if (!rc)
		rc = myrwlock_unlock(&ground->lock);
	if (rc && !ground->error) {
		ground->error = rc;
		ground->failed = what;
	}
	return rc;
}

static int work(void *arg)
{
	struct ground *ground = arg;

	for (int i = 0; i < ROUNDS; i++) {
		if (visit(ground, false, "reading beside it") ||
		    visit(ground, true, "writing beside it"))
			return 1;
		atomic_fetch_add(&ground->entries, 1);
	}
	return 0;
}

struct wanted {
	struct ground *ground;
	unsigned int waiting;
};

static bool are_waiting(void *arg)
{
	struct wanted *wanted = arg;
	struct myrwlock_state state;

	return myrwlock_look(&wanted->ground->lock, &state) == 0 &&
	       state.waiting_readers + state.waiting_writers == wanted->waiting;
}

static int reap(pid_t pid)
{
	int status = -1;

	child_wait(pid, tick_after(MS * TICK_MS), &status);
	return status;
}

/* Hold it for writing until the victim and another wait; strike the victim; let
 * go. Runs in a process of its own, as the unlock may never return. */
static int hold_and_strike(void *arg)
{
	struct ground *ground = arg;
	struct wanted one = {ground, 1}, two = {ground, 2};
	pid_t victim, worker;
	int rc = 1;

	if (myrwlock_wrlock(&ground->lock) ||
	    child_fork(wait_for_it, ground, &victim) ||
	    !support_wait_until(are_waiting, &one, MS) ||
	    child_fork(work, ground, &worker) ||
	    !support_wait_until(are_waiting, &two, MS))
		return 2;
	if (kill(victim, ground->plan.signal) ||
	    waitpid(victim, NULL, WUNTRACED) != victim)
		return 3;
	if (myrwlock_unlock(&ground->lock) == 0)
		rc = work(ground);
	if (ground->plan.signal == SIGSTOP) {
		kill(victim, SIGCONT);
		/* It gets it still, and ends with it. */
		rc |= reap(victim);
	}
	return rc | reap(worker);
}

static void who_is_struck_while_it_waits_hangs_nobody(void **state)
{
	enum { GROUNDS = 12 };
	static const int signals[] = {SIGKILL, SIGSTOP};
	struct ground *grounds[GROUNDS];
	pid_t pids[GROUNDS];
	int failed = 0, status;

	(void)state;
	for (int i = 0; i < GROUNDS; i++) {
		grounds[i] = make_ground((struct plan){
			.policy = (enum myrwlock_policy)(i % 3),
			.is_writer = i / 3 % 2 == 1,
			.signal = signals[i / 6],
		});
		assert_int_equal(
			child_fork(hold_and_strike, grounds[i], &pids[i]), 0);
	}
	for (int i = 0; i < GROUNDS; i++) {
		const struct plan *plan = &grounds[i]->plan;

		status = -1;
		if (child_wait(pids[i], tick_after(10 * TICK_S), &status)) {
			kill(pids[i], SIGKILL);
			reap(pids[i]);
		}
		if (status) {
			failed++;
			print_message(
				"policy %d, a waiting %s, signal %d: status "
				"%d, %u of %d, %s: %d\n",
				plan->policy,
				plan->is_writer ? "writer" : "reader",
				plan->signal, status,
				atomic_load(&grounds[i]->entries), 2 * ROUNDS,
				grounds[i]->failed ? grounds[i]->failed
						   : "hangs",
				grounds[i]->error);
		}
		munmap(grounds[i], sizeof(*grounds[i]));
	}
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_struck_while_it_waits_hangs_nobody),
	};
	return SUPPORT_MAIN(tests);
}
