/* stop.c - the handler sets a flag and fills an eventfd that nobody empties.
 *
 * A shell ends its loop when the command in it was ended by SIGINT: not when it
 * exited with 130, as any program may that has dealt with the signal. So who
 * exits as one that a signal has ended is ended by it, when exit(3) is over.
 *
 * An eventfd is shared over fork(2): a child that is told to stop would wake
 * its parent. So a forked child gets one of its own under the same number,
 * and the handler leaves the descriptor alone until that is done.
 */
#include "lib/cmd/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"

/* Of libgcov and of the leak sanitizer, in builds with these. */
void __gcov_dump(void) __attribute__((weak));
void __lsan_do_leak_check(void) __attribute__((weak));

static atomic_int stop_number; /* the first signal */
static atomic_int last_number; /* what exit(3) is to end by, or 0 */
static atomic_int owner;       /* the process that event_fd belongs to */
static int event_fd = -1;

static void raise_event(void)
{
	const uint64_t one = 1;
	ssize_t n = write(event_fd, &one, sizeof(one));

	(void)n; /* fails only when it is full, which is as good */
}

/* SA_RESETHAND makes the second SIGINT deadly. */
static void on_signal(int number)
{
	int saved = errno;

	stop_ask(number);
	errno = saved;
}

bool stop_ask(int number)
{
	int none = 0;

	if (event_fd < 0)
		return false;
	atomic_compare_exchange_strong(&stop_number, &none, number);
	if (atomic_load(&owner) == getpid())
		raise_event();
	return true;
}

static void after_fork_in_child(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return; /* flag and EINTR still work */
	dup3(fd, event_fd, O_CLOEXEC);
	close(fd);
	atomic_store(&owner, getpid());
	/* One that came before the handler knew us as the owner. */
	if (atomic_load(&stop_number))
		raise_event();
}

static int handle(int number, int flags)
{
	struct sigaction old, action = {
				      .sa_handler = on_signal,
				      .sa_flags = flags,
			      };

	if (sigaction(number, NULL, &old) < 0)
		return -errno;
	if (old.sa_handler == SIG_IGN)
		return 0;
	sigaddset(&action.sa_mask, SIGHUP);
	sigaddset(&action.sa_mask, SIGINT);
	sigaddset(&action.sa_mask, SIGTERM);
	return sigaction(number, &action, NULL) < 0 ? -errno : 0;
}

/* ---- the end ---- */

static void note_status(int status, void *unused)
{
	int number = stop_signal();

	(void)unused;
	if (number && status == 128 + number)
		atomic_store(&last_number, number);
}

/* Behind all that was given to atexit(3). Who is process 1 of a PID namespace
 * outlives it, and exits as before. */
__attribute__((destructor)) static void end_by_signal(void)
{
	const struct rlimit none = {0, 0};
	int number = atomic_load(&last_number);
	sigset_t set;

	if (!number)
		return;
	fflush(NULL);
	if (__lsan_do_leak_check)
		__lsan_do_leak_check();
	if (__gcov_dump)
		__gcov_dump();
	setrlimit(RLIMIT_CORE, &none); /* of SIGQUIT */
	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	raise(number);
}

_Noreturn void stop_exit(int number)
{
	atomic_store(&last_number, number);
	exit(128 + number);
}

/* ---- the beginning ---- */

static void do_nothing(int number)
{
	(void)number;
}

void stop_survive_file_limit(void)
{
	const struct sigaction action = {.sa_handler = do_nothing,
					 .sa_flags = SA_RESTART};
	struct sigaction old;

	if (sigaction(SIGXFSZ, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
		sigaction(SIGXFSZ, &action, NULL);
}

int stop_install(void)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	int fd, rc;

	if (event_fd >= 0)
		return 0;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	fd = fdio_above_std(fd);
	if (fd < 0)
		return fd;
	rc = -pthread_atfork(NULL, NULL, after_fork_in_child);
	if (rc) {
		close(fd);
		return rc;
	}
	event_fd = fd;
	atomic_store(&owner, getpid());
	if (sigaction(SIGPIPE, &ignore, NULL) < 0)
		return -errno;
	if (on_exit(note_status, NULL) != 0)
		return -ENOMEM;
	rc = handle(SIGTERM, 0);
	if (!rc)
		rc = handle(SIGHUP, 0);
	return rc ? rc : handle(SIGINT, (int)SA_RESETHAND);
}

/* ---- asked and waited for ---- */

int stop_signal(void)
{
	return atomic_load(&stop_number);
}

int stop_fd(void)
{
	return event_fd;
}

int stop_wait(int fd, long long deadline)
{
	struct pollfd pfds[2] = {
		{.fd = event_fd, .events = POLLIN},
		{.fd = fd, .events = POLLIN},
	};

	for (;;) {
		struct timespec left = tick_to_timespec(tick_left(deadline));
		int n;

		if (stop_signal())
			return -EINTR;
		n = ppoll(pfds, 2, deadline == TICK_NEVER ? NULL : &left, NULL);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (stop_signal())
			return -EINTR;
		if (n > 0 && pfds[1].revents)
			return pfds[1].revents & POLLNVAL ? -EBADF : 1;
		if (n == 0 && tick_is_over(deadline))
			return 0;
	}
}

int stop_exit_code(void)
{
	int number = stop_signal();

	if (number == SIGPIPE) /* lib/cmd/out says why */
		return EXIT_FAILURE;
	return number ? 128 + number : 0;
}
