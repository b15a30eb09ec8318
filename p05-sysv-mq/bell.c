/* bell.c - the thread sleeps until `wakes_at`, and the owner wants it awake at
 * `moment`. Each writes its own and then reads the other's, so at least one of
 * them sees that they do not agree: the owner writes to the eventfd, or the
 * thread goes round again. As long as moments only move forward, from one
 * request to the next, nobody has to: the thread finds out when it wakes. */
#include "p05-sysv-mq/bell.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"
#include "p05-sysv-mq/gate.h"
#include "p05-sysv-mq/letter.h"

struct bell {
	int queue;
	long type;
	int gate;
	int pidfd;    /* -1: there are none, or the server has ended */
	int event_fd; /* the owner has something to say */
	/* Ordered by sequential consistency: see the top. */
	_Atomic int64_t moment, wakes_at;
	atomic_bool server_is_gone, is_closing;
	pthread_t thread;
};

/* Sleep until the moment, an event, or the end of the server. */
static void sleep_until(struct bell *bell, int64_t moment)
{
	const int64_t slice = tick_after(50 * TICK_MS);
	bool must_look = bell->pidfd < 0 && !bell_server_is_gone(bell);
	struct pollfd fds[] = {
		{.fd = bell->event_fd, .events = POLLIN},
		{.fd = bell->pidfd, .events = POLLIN},
	};
	uint64_t events;

	if (must_look && slice < moment)
		moment = slice;
	if (poll(fds, 2, tick_left_ms(moment)) < 0)
		return;
	if (fds[0].revents && read(bell->event_fd, &events, sizeof(events)) < 0)
		return; /* somebody else's wake-up; nothing is lost */
	if (fds[1].revents || (must_look && !gate_is_served(bell->gate))) {
		fdio_close(&bell->pidfd);
		atomic_store(&bell->server_is_gone, true);
	}
}

static void *watch(void *arg)
{
	struct bell *bell = arg;
	int64_t rung = TICK_NEVER; /* for that moment we rang already */
	bool was_gone = false, must_ring = false;

	while (!atomic_load(&bell->is_closing)) {
		int64_t moment = atomic_load(&bell->moment), next = moment;

		if (moment != rung && tick_is_over(moment)) {
			rung = moment;
			must_ring = true;
		}
		if (bell_server_is_gone(bell) && !was_gone)
			was_gone = must_ring = true;
		/* Full of empty messages, even? Then again soon. */
		if (must_ring)
			must_ring =
				letter_ring(bell->queue, bell->type) == -EAGAIN;
		if (must_ring)
			next = tick_after(10 * TICK_MS);
		else if (moment == rung)
			next = TICK_NEVER;
		atomic_store(&bell->wakes_at, next);
		if (atomic_load(&bell->moment) == moment)
			sleep_until(bell, next);
	}
	return NULL;
}

static void wake(struct bell *bell)
{
	const uint64_t one = 1;
	ssize_t n = write(bell->event_fd, &one, sizeof(one));

	(void)n; /* fails only when it is full, which is as good */
}

void bell_at(struct bell *bell, int64_t moment)
{
	atomic_store(&bell->moment, moment);
	if (moment < atomic_load(&bell->wakes_at))
		wake(bell);
}

bool bell_server_is_gone(const struct bell *bell)
{
	return atomic_load(&bell->server_is_gone);
}

/* Signals are for the other threads: a handler is to interrupt msgrcv(2). */
static int start_thread(struct bell *bell)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&bell->thread, NULL, watch, bell);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -error;
}

int bell_open(struct bell **out, int queue, long type, int gate, pid_t server)
{
	struct bell *bell = calloc(1, sizeof(*bell));
	int rc = 0;

	*out = NULL;
	if (!bell)
		return -ENOMEM;
	bell->queue = queue;
	bell->type = type;
	bell->gate = gate;
	atomic_store(&bell->moment, TICK_NEVER);
	atomic_store(&bell->wakes_at, TICK_NEVER);
	bell->pidfd = server > 0 ? pidfd_open(server, 0) : -1;
	bell->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bell->event_fd < 0)
		rc = -errno;
	if (rc == 0)
		rc = start_thread(bell);
	if (rc) {
		fdio_close(&bell->event_fd);
		fdio_close(&bell->pidfd);
		free(bell);
		return rc;
	}
	*out = bell;
	return 0;
}

void bell_close(struct bell *bell)
{
	if (!bell)
		return;
	atomic_store(&bell->is_closing, true);
	wake(bell);
	pthread_join(bell->thread, NULL);
	fdio_close(&bell->event_fd);
	fdio_close(&bell->pidfd);
	free(bell);
}
