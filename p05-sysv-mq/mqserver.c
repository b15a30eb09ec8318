/* mqserver.c - taking the key, and the keeper: the thread that called
 * mqserver_run(). It starts the workers (worker.c has what they do), sweeps,
 * and ends them by ringing once for each. */
#include "p05-sysv-mq/mqserver.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/msg.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"
#include "p05-sysv-mq/gate.h"
#include "p05-sysv-mq/letter.h"
#include "p05-sysv-mq/mqworker.h"

struct mqserver {
	struct mqworker_shared shared;
	int gate;
	pthread_t threads[MQSERVER_WORKERS_MAX];
};

/* ---- taking the key ---- */

/* Before anything is taken out of it: a queue of mode 666 can be emptied by those
 * who may not remove it. */
static bool may_remove(int queue)
{
	struct msqid_ds status;

	/* One that is gone in between is no obstacle. */
	return geteuid() == 0 || msgctl(queue, IPC_STAT, &status) < 0 ||
	       status.msg_perm.uid == geteuid() ||
	       status.msg_perm.cuid == geteuid();
}

/* Remove what a dead server left. The queue first: a set without a queue is
 * cleaned up by the next one who comes, a queue without a set is not ours. */
static int clean_up(key_t key, int gate, struct mqserver_found *found)
{
	int queue = msgget(key, 0), rc;

	if (queue < 0 && errno != ENOENT)
		return -errno;
	if (queue >= 0 && !may_remove(queue))
		return -EPERM;
	found->was_there = true;
	found->gate = gate;
	if (queue >= 0) {
		found->queue = queue;
		rc = sweep_purge(queue, &found->purged);
		if (rc && rc != -EIDRM)
			return rc;
		if (msgctl(queue, IPC_RMID, NULL) < 0 && errno != EIDRM &&
		    errno != EINVAL)
			return -errno;
	}
	rc = gate_remove(gate);
	return rc == -EIDRM ? 0 : rc;
}

static int take_gate(const struct mqserver_options *options,
		     struct mqserver_found *found)
{
	const int64_t deadline = tick_after(10 * TICK_S);
	bool is_new = false;
	int gate, rc;

	for (;;) {
		gate = gate_take(options->key, options->identity, options->mode,
				 deadline, &is_new);
		if (gate < 0 || is_new)
			return gate;
		rc = clean_up(options->key, gate, found);
		if (rc)
			return rc;
	}
}

static int make_queue(struct mqserver *server, int *gate_units)
{
	const struct mqserver_options *options = server->shared.options;
	struct msqid_ds status;
	ssize_t text_max;
	int queue = msgget(options->key,
			   IPC_CREAT | IPC_EXCL | (options->mode & 0777));

	/* We have just made the set, so the queue is somebody else's. */
	if (queue < 0)
		return errno == EEXIST ? -ENOTUNIQ : -errno;
	server->shared.queue = queue;
	text_max = letter_text_max(queue);
	if (text_max < 0)
		return (int)text_max;
	if (text_max < MQSERVER_TEXT_MIN)
		return -EMSGSIZE;
	if (msgctl(queue, IPC_STAT, &status) < 0)
		return -errno;
	server->shared.text_max = (size_t)text_max;
	*gate_units = (int)(status.msg_qbytes / LETTER_UNIT);
	return 0;
}

static int set_up(struct mqserver *server, struct mqserver_found *found)
{
	int units = 0, rc;

	server->shared.here = letter_place_here();
	server->shared.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->shared.event_fd < 0)
		return -errno;
	rc = take_gate(server->shared.options, found);
	if (rc < 0)
		return rc;
	server->gate = rc;
	rc = make_queue(server, &units);
	/* Last: now clients get room. */
	return rc ? rc : gate_open(server->gate, (uint32_t)units);
}

int mqserver_create(struct mqserver **out,
		    const struct mqserver_options *options,
		    struct mqserver_found *found)
{
	struct mqserver *server = calloc(1, sizeof(*server));
	int rc;

	*out = NULL;
	*found = (struct mqserver_found){.queue = -1, .gate = -1};
	if (!server)
		return -ENOMEM;
	server->gate = server->shared.queue = -1;
	server->shared.options = options;
	rc = set_up(server, found);
	if (rc)
		mqserver_remove(server);
	else
		*out = server;
	return rc;
}

int mqserver_queue(const struct mqserver *server)
{
	return server->shared.queue;
}

int mqserver_gate(const struct mqserver *server)
{
	return server->gate;
}

/* ---- the keeper ---- */

/* All signals go to the keeper. Returns how many workers could be started. */
static int start_workers(struct mqserver *server, int *error)
{
	sigset_t all, old;
	int n = 0;

	*error = 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (n < server->shared.options->workers && !*error) {
		*error = -pthread_create(&server->threads[n], NULL,
					 mqworker_run, &server->shared);
		n += !*error;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return n;
}

static void end_workers(struct mqserver *server, int n)
{
	struct sweep_counts counts;

	atomic_store(&server->shared.is_stopping, true);
	/* One for each that sleeps. Those who do not will see the flag, and
	 * where the queue is gone all of them know. Only empty messages by the
	 * thousand could leave no room for one more. */
	for (int i = 0; i < n; i++)
		while (letter_ring(server->shared.queue, LETTER_REQUEST) ==
		       -EAGAIN)
			sweep_purge(server->shared.queue, &counts);
	for (int i = 0; i < n; i++)
		pthread_join(server->threads[i], NULL);
}

/* Without a gate no client finds us. It is not ours to remove then: another server
 * may have it. */
static int look_after_gate(struct mqserver *server)
{
	if (gate_is_ours(server->gate))
		return 0;
	server->gate = -1;
	return -EIDRM;
}

/* Until a stop (0), a worker's failure (-errno) or the loss of the gate. */
static int keep(struct mqserver *server, int stop_fd)
{
	const struct mqserver_options *options = server->shared.options;
	int64_t next = tick_after(options->sweep_ns);
	int64_t next_look = tick_after(TICK_S);
	struct pollfd fds[] = {
		{.fd = stop_fd, .events = POLLIN},
		{.fd = server->shared.event_fd, .events = POLLIN},
	};

	for (;;) {
		int64_t until = next < next_look ? next : next_look;
		int error = 0;

		if (poll(fds, 2, tick_left_ms(until)) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents)
			return 0;
		if (fds[1].revents)
			return atomic_load(&server->shared.error);
		if (tick_is_over(next_look)) {
			error = look_after_gate(server);
			next_look = tick_after(TICK_S);
		}
		if (error)
			return error;
		if (tick_is_over(next)) {
			mqworker_sweep(&server->shared);
			next = tick_after(options->sweep_ns);
		}
	}
}

int mqserver_run(struct mqserver *server, int stop_fd)
{
	int rc, n = start_workers(server, &rc);

	if (rc == 0)
		rc = keep(server, stop_fd);
	end_workers(server, n);
	return rc;
}

/* ---- the end ---- */

void mqserver_abandon(struct mqserver *server)
{
	if (!server)
		return;
	fdio_close(&server->shared.event_fd);
	free(server);
}

void mqserver_remove(struct mqserver *server)
{
	if (!server)
		return;
	/* In the order of clean_up(). */
	if (server->shared.queue >= 0)
		msgctl(server->shared.queue, IPC_RMID, NULL);
	if (server->gate >= 0)
		gate_remove(server->gate);
	mqserver_abandon(server);
}
