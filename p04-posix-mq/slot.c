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

bool slot_is_shortage(int error)
{
	switch (-error) {
	case EMFILE:
	case ENFILE:
	case EAGAIN:
	case ENOMEM:
	case ENOBUFS:
		return true;
	default:
		return false;
	}
}

/* Opened before the worker starts, so that the dispatcher can note its end whatever
 * it is short of by then. */
static int open_record(struct slot *slot, int dir, uint64_t id)
{
	slot->record = record_open(dir, id);
	return slot->record < 0 ? slot->record : 0;
}

static void close_all(struct slot *slot)
{
	line_buffer_close(&slot->out, 0);
	line_buffer_close(&slot->err, 0);
	fdio_close(&slot->life);
	fdio_close(&slot->pidfd);
	fdio_close(&slot->record);
	slot->job = NULL;
}

/* The pipes for the output and the end, and a worker that has their other
 * ends. Ours must go, or there would be no end of file. */
int slot_start(struct slot *slot, const struct slot_options *options,
	       const struct job *job)
{
	struct worker worker = {
		.journal_dir = options->journal_dir,
		.job = job,
		.out = -1,
		.err = -1,
		.pidfd_socket = -1,
		.grace_ns = options->grace_ns,
	};
	int life[2] = {-1, -1}, error;

	*slot = (struct slot){.options = options,
			      .life = -1,
			      .pidfd = -1,
			      .record = -1,
			      .out.from = -1,
			      .err.from = -1};
	error = line_buffer_open(&slot->out, options->out, &worker.out);
	if (!error)
		error = line_buffer_open(&slot->err, options->err, &worker.err);
	if (!error && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, life))
		error = -errno;
	worker.pidfd_socket = life[1];
	slot->life = life[0];
	if (!error)
		error = open_record(slot, options->journal_dir, job->id);
	if (!error)
		error = worker_start(&worker, &slot->pid);
	fdio_close(&worker.out);
	fdio_close(&worker.err);
	fdio_close(&life[1]);
	if (error)
		close_all(slot);
	else
		slot->job = job;
	return error;
}

/* What an outlet does not take is not read. */
static int source_of(const struct line_buffer *buffer)
{
	return outlet_is_free(buffer->to) ? buffer->from : -1;
}

void slot_fill_fds(const struct slot *slot, struct pollfd fds[SLOT_FDS])
{
	for (int i = 0; i < SLOT_FDS; i++)
		fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
	if (!slot->job)
		return;
	fds[0].fd = source_of(&slot->out);
	fds[1].fd = source_of(&slot->err);
	if (!slot->has_ended)
		fds[2].fd = slot->life;
}

/* After the worker's end to the end, as there may be nothing to poll for. */
static int forward(const struct slot *slot, struct line_buffer *buffer,
		   short revents)
{
	ssize_t n;

	if (!revents && !slot->has_ended)
		return 0;
	do
		n = line_buffer_forward(buffer);
	while (n > 0 && slot->has_ended);
	return n < 0 && n != -EAGAIN ? (int)n : 0;
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
	int error;

	if (fds[2].revents && !took_leader(slot)) {
		slot->has_ended = true;
		line_buffer_end(&slot->out);
		line_buffer_end(&slot->err);
	}
	error = forward(slot, &slot->out, fds[0].revents);
	if (!error)
		error = forward(slot, &slot->err, fds[1].revents);
	*is_over = slot->has_ended && line_buffer_is_out(&slot->out) &&
		   line_buffer_is_out(&slot->err);
	return error;
}

void slot_stop(struct slot *slot)
{
	slot->is_stopped = true;
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

/* Which of the ends it was, as the record and the worker's status have it. A
 * worker that exits has put into its status why it could not do its work. */
static enum slot_result judge(const struct slot *slot,
			      const struct record_head *head, long *n)
{
	if (head->outcome != RECORD_PENDING) {
		*n = (long)(head->outcome & 0xff);
		return SLOT_ENDED;
	}
	if (slot->is_stopped)
		return SLOT_STOPPED;
	if (WIFEXITED(slot->status)) {
		*n = WEXITSTATUS(slot->status);
		if (*n != EBUSY)
			return SLOT_SHORT;
		*n = head->leader.pid;
		return SLOT_HELD;
	}
	*n = (long)head->attempts + 1;
	return *n < slot->options->max_attempts ? SLOT_DIED : SLOT_FAILED;
}

/* Bring the journal up to date with that end. */
static int note(const struct slot *slot, const struct record_head *head,
		enum slot_result result, long n)
{
	const int dir = slot->options->journal_dir;
	int error;

	switch (result) {
	case SLOT_ENDED:
		return record_remove(dir, slot->job->id);
	case SLOT_STOPPED:
		end_what_is_left(slot, head);
		return 0;
	case SLOT_DIED:
	case SLOT_FAILED:
		end_what_is_left(slot, head);
		error = record_note_attempts(slot->record, (uint32_t)n);
		if (error || result == SLOT_DIED)
			return error;
		error = record_note_outcome(slot->record, RECORD_FAILED);
		return error ? error : record_remove(dir, slot->job->id);
	case SLOT_SHORT:
		return slot_is_shortage((int)-n) ? 0 : (int)-n;
	case SLOT_HELD:
	case SLOT_UNSOUND:
		break;
	}
	return 0;
}

/* The journal after the worker's end: the record is the only witness. When it is
 * none any more, nobody knows what became of the command. */
static int settle(const struct slot *slot, enum slot_result *result, long *n)
{
	struct record_head head;
	int error = record_read(slot->record, &head, NULL);

	if (!error) {
		*result = judge(slot, &head, n);
		error = note(slot, &head, *result, *n);
	}
	if (error != -EBADMSG && error != -EPROTONOSUPPORT)
		return error;
	*result = SLOT_UNSOUND;
	return record_set_aside(slot->options->journal_dir, slot->job->id);
}

int slot_reap(struct slot *slot)
{
	int error = 0;

	if (!slot->is_reaped)
		error = child_end(slot->pid,
				  slot->options->grace_ns + MARGIN_NS,
				  &slot->status);
	slot->is_reaped = true;
	return error;
}

int slot_finish(struct slot *slot, int64_t deadline, enum slot_result *result,
		long *n)
{
	int error[4];

	error[0] = slot_reap(slot);
	took_leader(slot);
	/* The output first: who waits for the job will find it there. */
	error[1] = line_buffer_close(&slot->out, deadline);
	error[2] = line_buffer_close(&slot->err, deadline);
	error[3] = settle(slot, result, n);
	close_all(slot);
	for (int i = 0; i < 4; i++)
		if (error[i] && error[i] != -ETIMEDOUT)
			return error[i];
	return error[1] ? error[1] : error[2];
}
