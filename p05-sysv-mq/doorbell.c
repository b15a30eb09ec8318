/* doorbell.c - the thread sleeps until `wakes_at`, and the owner wants it awake
 * at `moment`. Each writes its own and then reads the other's, so at least one of
 * them sees that they do not agree: the owner writes to the eventfd, or the
 * thread goes round again. As long as moments only move forward, from one
 * request to the next, nobody has to: the thread finds out when it wakes. */
#include "p05-sysv-mq/doorbell.h"

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

struct doorbell {
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
static void sleep_until(struct doorbell *doorbell, int64_t moment)
{
	const int64_t slice = tick_after(50 * TICK_MS);
	bool must_look =
		doorbell->pidfd < 0 && !doorbell_server_is_gone(doorbell);
	struct pollfd fds[] = {
		{.fd = doorbell->event_fd, .events = POLLIN},
		{.fd = doorbell->pidfd, .events = POLLIN},
	};
	uint64_t events;

	if (must_look && slice < moment)
		moment = slice;
	if (poll(fds, 2, tick_left_ms(moment)) < 0)
		return;
	if (fds[0].revents &&
	    read(doorbell->event_fd, &events, sizeof(events)) < 0)
		return; /* somebody else's wake-up; nothing is lost */
	if (fds[1].revents || (must_look && !gate_is_served(doorbell->gate))) {
		fdio_close(&doorbell->pidfd);
		atomic_store(&doorbell->server_is_gone, true);
	}
}

static void *watch(void *arg)
{
	struct doorbell *doorbell = arg;
	int64_t rung = TICK_NEVER; /* for that moment we rang already */
	bool was_gone = false, must_ring = false;

	while (!atomic_load(&doorbell->is_closing)) {
		int64_t moment = atomic_load(&doorbell->moment), next = moment;

		if (moment != rung && tick_is_over(moment)) {
			rung = moment;
			must_ring = true;
		}
		if (doorbell_server_is_gone(doorbell) && !was_gone)
			was_gone = must_ring = true;
		/* Full of empty messages, even? Then again soon. */
		if (must_ring)
			must_ring = letter_ring(doorbell->queue,
						doorbell->type) == -EAGAIN;
		if (must_ring)
			next = tick_after(10 * TICK_MS);
		else if (moment == rung)
			next = TICK_NEVER;
		atomic_store(&doorbell->wakes_at, next);
		if (atomic_load(&doorbell->moment) == moment)
			sleep_until(doorbell, next);
	}
	return NULL;
}

static void wake(struct doorbell *doorbell)
{
	const uint64_t one = 1;
	ssize_t n = write(doorbell->event_fd, &one, sizeof(one));

	(void)n; /* fails only when it is full, which is as good */
}

void doorbell_at(struct doorbell *doorbell, int64_t moment)
{
	atomic_store(&doorbell->moment, moment);
	if (moment < atomic_load(&doorbell->wakes_at))
		wake(doorbell);
}

bool doorbell_server_is_gone(const struct doorbell *doorbell)
{
	return atomic_load(&doorbell->server_is_gone);
}

/* Signals are for the other threads: a handler is to interrupt msgrcv(2). */
static int start_thread(struct doorbell *doorbell)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&doorbell->thread, NULL, watch, doorbell);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -error;
}

int doorbell_open(struct doorbell **out, int queue, long type, int gate,
		  pid_t server)
{
	struct doorbell *doorbell = calloc(1, sizeof(*doorbell));
	int rc = 0;

	*out = NULL;
	if (!doorbell)
		return -ENOMEM;
	doorbell->queue = queue;
	doorbell->type = type;
	doorbell->gate = gate;
	atomic_store(&doorbell->moment, TICK_NEVER);
	atomic_store(&doorbell->wakes_at, TICK_NEVER);
	doorbell->pidfd = server > 0 ? pidfd_open(server, 0) : -1;
	doorbell->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (doorbell->event_fd < 0)
		rc = -errno;
	if (rc == 0)
		rc = start_thread(doorbell);
	if (rc) {
		fdio_close(&doorbell->event_fd);
		fdio_close(&doorbell->pidfd);
		free(doorbell);
		return rc;
	}
	*out = doorbell;
	return 0;
}

void doorbell_close(struct doorbell *doorbell)
{
	if (!doorbell)
		return;
	atomic_store(&doorbell->is_closing, true);
	wake(doorbell);
	pthread_join(doorbell->thread, NULL);
	fdio_close(&doorbell->event_fd);
	fdio_close(&doorbell->pidfd);
	free(doorbell);
}
