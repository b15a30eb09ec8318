#include "p04-posix-mq/wake.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/fdio.h"

static int open_signal(int number)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, number);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fdio_above_std(fd);
}

int wake_open(struct wake *wake, mqd_t mq, enum wake_mode mode)
{
	wake->mode = mode;
	wake->mq = mq;
	wake->fd = mode == WAKE_POLL ? mq : open_signal(SIGRTMIN);
	return wake->fd < 0 ? wake->fd : 0;
}

/* Take the signals that have come. */
static void forget(const struct wake *wake)
{
	struct signalfd_siginfo old;

	while (read(wake->fd, &old, sizeof(old)) > 0)
		;
}

int wake_arm(struct wake *wake)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
				 .sigev_signo = SIGRTMIN};

	if (wake->mode == WAKE_POLL)
		return 0;
	forget(wake); /* we are about to look anyway */
	/* Still registered would be EBUSY too: give that up first. A message
	 * in between is seen by the look that follows. */
	mq_notify(wake->mq, NULL);
	return mq_notify(wake->mq, &event) < 0 ? -errno : 0;
}

void wake_follow(struct wake *wake, mqd_t mq)
{
	wake->mq = mq;
	if (wake->mode == WAKE_POLL)
		wake->fd = mq;
}

void wake_close(struct wake *wake)
{
	if (wake->mode == WAKE_NOTIFY && wake->fd >= 0) {
		mq_notify(wake->mq, NULL);
		forget(wake);
		close(wake->fd);
	}
	wake->fd = -1;
}
