/* stop.c - the handler sets a flag and fills an eventfd that nobody empties.
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
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"

static atomic_int stop_number; /* the first signal */
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
	int saved = errno, none = 0;

	atomic_compare_exchange_strong(&stop_number, &none, number);
	if (atomic_load(&owner) == getpid())
		raise_event();
	errno = saved;
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
	sigaddset(&action.sa_mask, SIGINT);
	sigaddset(&action.sa_mask, SIGTERM);
	return sigaction(number, &action, NULL) < 0 ? -errno : 0;
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
	rc = handle(SIGTERM, 0);
	return rc ? rc : handle(SIGINT, (int)SA_RESETHAND);
}

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

	return number ? 128 + number : 0;
}
