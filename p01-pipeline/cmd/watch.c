/* watch.c - signals are waited for, not handled: nothing runs at odd moments,
 * and the wait for children and for signals is one.
 *
 *   who sends it            who has got it          what we do
 *
 *   terminal: Ctrl-C, -\    all of our process      start no more; what each stage
 *   (SI_KERNEL)             group that exist then   does is its own to say
 *   terminal: Ctrl-Z        the same                nothing: all stand still, and
 *                                                   `fg` wakes all
 *   terminal closed:        the leader of its       pass it on, always, as we may
 *   SIGHUP                  session, alone; a       be the leader; who gets it from
 *                           shell tells its jobs    the shell too has it twice
 *   kill(1), timeout(1),    we alone                pass it on; SIGKILL for who has
 *   a service manager                               not ended after GRACE
 *   kill to the group       all, but it looks like  pass it on: who handles it gets
 *                           the line above          it twice
 *
 * In all of them, when the pipeline was ended by the signal: what the stages
 * had started ends too, and so do we, by that signal, as a shell's loop goes by
 * how we end (mypipe.c:main). SIGKILL to us reaches nobody else: stages end
 * with their input. */
#include "p01-pipeline/cmd/watch.h"

#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/cmd/die.h"
#include "lib/tick.h"
#include "p01-pipeline/cmd/orphans.h"

/* How long processes may take to end after a signal that we passed on, and
 * after one that the terminal sent to them. */
static const int64_t GRACE = 5 * TICK_S;
static const int64_t TERMINAL_GRACE = TICK_S;

static bool is_adopting;
static sigset_t stops; /* what asks us to stop */
static sigset_t come;  /* those that have come */

void watch_begin(sigset_t *set)
{
	static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
	struct sigaction old;

	sigemptyset(&stops);
	sigemptyset(&come);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (sigaction(numbers[i], NULL, &old) == 0 &&
		    old.sa_handler != SIG_IGN)
			sigaddset(&stops, numbers[i]);
	*set = stops;
	sigaddset(set, SIGCHLD);
	sigprocmask(SIG_BLOCK, set, NULL);
	is_adopting = orphans_adopt();
}

int watch_is_stopped(void)
{
	sigset_t pending;

	if (sigpending(&pending) < 0)
		return 0;
	sigandset(&pending, &pending, &stops);
	return !sigisemptyset(&pending);
}

/* By the table above. */
static bool is_for_stages(const siginfo_t *info)
{
	return info->si_signo == SIGHUP ||
	       (info->si_signo != SIGCHLD && info->si_code != SI_KERNEL);
}

/* Whether a stage was ended by that signal. */
static bool has_ended_one(int number, const struct pipeline *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (!p->stages[i].error && WIFSIGNALED(p->stages[i].status) &&
		    WTERMSIG(p->stages[i].status) == number)
			return true;
	return false;
}

bool watch_has_ended(const struct pipeline *p, int number)
{
	return sigismember(&come, number) == 1 && has_ended_one(number, p);
}

static void end_orphans(int64_t term_at, int64_t kill_at)
{
	int rc = is_adopting ? orphans_end(term_at, kill_at) : 0;

	if (rc)
		die_errno(rc, "cannot end all that the commands have started");
}

/* A signal that has come and that nobody has taken yet, or 0. */
static int take_pending(const sigset_t *set)
{
	const struct timespec at_once = {0};
	int number;

	do
		number = sigtimedwait(set, NULL, &at_once);
	while (number == SIGCHLD);
	if (number <= 0)
		return 0;
	sigaddset(&come, number);
	return number;
}

int watch_give_up(const sigset_t *set)
{
	end_orphans(tick_now(), tick_after(GRACE));
	return take_pending(set);
}

int watch_stages(struct pipeline *p, const sigset_t *set)
{
	int64_t deadline = TICK_NEVER;
	int stop = 0, other = 0, rc;

	while (pipeline_reap(p)) {
		struct timespec left = tick_to_timespec(tick_left(deadline));
		siginfo_t info = {.si_signo = SIGCHLD};

		if (is_adopting)
			orphans_reap(p);
		if (tick_is_over(deadline)) {
			rc = pipeline_end(p, 0);
			if (rc)
				die_errno(rc, "cannot end all commands");
			continue;
		}
		if (sigtimedwait(set, &info, &left) > 0)
			sigaddset(&come, info.si_signo);
		if (is_for_stages(&info)) {
			pipeline_kill(p, info.si_signo);
			if (!stop)
				deadline = tick_after(GRACE);
			stop = stop ? stop : info.si_signo;
		} else if (info.si_signo != SIGCHLD) {
			other = info.si_signo;
		}
	}
	other = other ? other : take_pending(set);
	if (stop)
		end_orphans(tick_now(), deadline);
	else if (other && has_ended_one(other, p))
		end_orphans(tick_after(TERMINAL_GRACE), tick_after(GRACE));
	return stop;
}
