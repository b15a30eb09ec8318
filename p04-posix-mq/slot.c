#include "p04-posix-mq/slot.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/tick.h"
#include "p04-posix-mq/durable/record.h"
#include "p04-posix-mq/worker.h"

/* What a worker may take beyond the grace that it gives to its command. */
#define MARGIN_NS (WORKER_LAST_NS + WORKER_KILL_NS + TICK_S)
/* How long the group of a killed worker's command may take to be gone. */
#define KILL_NS TICK_S

/* The pipes for the output and the end, and a worker that has their other
 * ends. Ours must go, or there would be no end of file. */
int slot_start(struct slot *slot, const struct dispatcher_options *options,
	       const struct job *job)
{
	struct worker worker = {
		.journal_dir = options->journal->dir,
		.job = job,
		.out = -1,
		.err = -1,
		.guard = -1,
		.grace_ns = options->grace_ns,
	};
	int life[2] = {-1, -1}, error;

	*slot = (struct slot){.life = -1, .pidfd = -1};
	error = lines_open(&slot->out, options->out, &worker.out);
	if (!error)
		error = lines_open(&slot->err, options->err, &worker.err);
	if (!error && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, life))
		error = -errno;
	worker.guard = life[1];
	if (!error)
		error = worker_start(&worker, &slot->pid);
	fdio_close(&worker.out);
	fdio_close(&worker.err);
	fdio_close(&life[1]);
	slot->life = life[0];
	if (error) {
		lines_close(&slot->out);
		lines_close(&slot->err);
		fdio_close(&slot->life);
	} else {
		slot->job = job;
	}
	return error;
}

void slot_fill_fds(const struct slot *slot, struct pollfd fds[SLOT_FDS])
{
	fds[0] = (struct pollfd){.fd = slot->out.from, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = slot->err.from, .events = POLLIN};
	fds[2] = (struct pollfd){.fd = slot->life, .events = POLLIN};
	if (!slot->job)
		for (int i = 0; i < SLOT_FDS; i++)
			fds[i].fd = -1;
}

/* At its end the stream is closed, or poll would go on about it. */
static int forward(struct lines *lines)
{
	ssize_t n = lines_forward(lines);

	if (n > 0 || n == -EAGAIN)
		return 0;
	return n < 0 ? (int)n : lines_close(lines);
}

/* Whether the worker has sent it just now. */
static bool took_leader(struct slot *slot)
{
	int pidfd, rc = worker_receive_leader(slot->life, &pidfd);

	if (rc == 1) {
		fdio_close(&slot->pidfd);
		slot->pidfd = pidfd;
	}
	return rc != 0;
}

int slot_handle(struct slot *slot, const struct pollfd fds[SLOT_FDS],
		bool *is_over)
{
	int error = 0;

	if (fds[0].revents)
		error = forward(&slot->out);
	if (!error && fds[1].revents)
		error = forward(&slot->err);
	*is_over = fds[2].revents != 0 && !took_leader(slot);
	return error;
}

void slot_stop(struct slot *slot)
{
	kill(slot->pid, SIGTERM);
	kill(slot->pid, SIGCONT);
}

/* Its command may still run. What does not end is not met by the next run, whose
 * worker looks, too; so here it is enough to have sent the signal. */
static void end_what_is_left(const struct slot *slot,
			     const struct record_head *head)
{
	worker_end_group(&head->leader, slot->pidfd, tick_after(KILL_NS));
}

static int note_death(const struct dispatcher_options *options, int record,
		      const struct record_head *head, enum slot_result *result,
		      long *n)
{
	int error;

	*n = (long)head->attempts + 1;
	*result = *n < options->max_attempts ? SLOT_DIED : SLOT_FAILED;
	error = record_note_attempts(record, (uint32_t)*n);
	if (!error && *result == SLOT_FAILED)
		error = record_note_outcome(record, RECORD_FAILED);
	return error;
}

/* The journal after the worker's end: the record is the only witness. When it is
 * none any more, nobody knows what became of the command. */
static int settle(const struct slot *slot,
		  const struct dispatcher_options *options, int status,
		  bool is_ending, enum slot_result *result, long *n)
{
	const uint64_t id = slot->job->id;
	int dir = options->journal->dir;
	int fd = record_open(dir, id), error;
	struct record_head head;

	if (fd < 0)
		return fd;
	*result = SLOT_DIED;
	error = record_read(fd, &head, NULL);
	if (!error && head.outcome != RECORD_PENDING) {
		*result = SLOT_ENDED;
		*n = (long)(head.outcome & 0xff);
	} else if (!error && is_ending) {
		end_what_is_left(slot, &head);
	} else if (!error && WIFEXITED(status)) {
		*result = SLOT_HELD;
		*n = head.leader.pid;
		if (WEXITSTATUS(status) != EBUSY)
			error = -WEXITSTATUS(status);
	} else if (!error) {
		end_what_is_left(slot, &head);
		error = note_death(options, fd, &head, result, n);
	}
	if (error == -EBADMSG) {
		*result = SLOT_UNSOUND;
		error = record_set_aside(dir, id);
	} else if (!error && *result != SLOT_DIED && *result != SLOT_HELD) {
		error = record_remove(dir, id);
	}
	close(fd);
	return error;
}

int slot_finish(struct slot *slot, const struct dispatcher_options *options,
		bool is_ending, enum slot_result *result, long *n)
{
	int status, error[4];

	error[0] = child_end(slot->pid, options->grace_ns + MARGIN_NS, &status);
	took_leader(slot);
	fdio_close(&slot->life);
	/* The output first: who waits for the job will find it there. */
	error[1] = lines_close(&slot->out);
	error[2] = lines_close(&slot->err);
	error[3] = settle(slot, options, status, is_ending, result, n);
	fdio_close(&slot->pidfd);
	slot->job = NULL;
	for (int i = 0; i < 4; i++)
		if (error[i])
			return error[i];
	return 0;
}
