#include "p04-posix-mq/intake.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/identity.h"
#include "p04-posix-mq/durable/record.h"

int intake_open(struct intake *intake)
{
	intake->message = malloc(intake->options->queue->message_bytes);
	return intake->message ? 0 : -ENOMEM;
}

void intake_close(struct intake *intake)
{
	hand_free(&intake->hand);
	free(intake->message);
	intake->message = NULL;
}

static int report(const struct intake *intake, enum dispatcher_event event,
		  uint64_t n)
{
	return intake->options->report(event, NULL, (long)n,
				       intake->options->arg);
}

/* ---- the journal ------------------------------------------------------------ */

/* Take over the job of a record that was read. */
static int adopt(struct intake *intake, const struct record_head *head,
		 struct job *job)
{
	int error;

	if (head->outcome == RECORD_PENDING) {
		/* Early; its next worker sees to it that they have ended. */
		identity_signal_group(&head->leader, -1, SIGKILL);
		return hand_add(&intake->hand, job);
	}
	/* A crash came between its end and this. */
	error = record_remove(intake->options->journal->dir, job->id);
	free(job);
	return error;
}

/* Read the job of that record: 1; 0 when it is gone, or, without its ticket,
 * still being submitted; or -errno. */
static int read_record(int dir, uint64_t id, bool has_ticket,
		       struct record_head *head, struct job **job)
{
	int fd = record_open(dir, id), error;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (!has_ticket && record_is_being_submitted(fd)) {
		close(fd);
		return 0;
	}
	error = record_read(fd, head, job);
	close(fd);
	if (error)
		return error;
	if ((*job)->id == id)
		return 1;
	free(*job);
	return -EBADMSG;
}

static int set_aside(struct intake *intake, uint64_t id)
{
	int error = record_set_aside(intake->options->journal->dir, id);

	return error ? error : report(intake, DISPATCHER_UNSOUND, id);
}

/* Take a job in hand that is not there yet, as its record has it. */
static int take(struct intake *intake, uint64_t id, bool has_ticket)
{
	struct record_head head;
	struct job *job;
	int rc = read_record(intake->options->journal->dir, id, has_ticket,
			     &head, &job);

	if (rc == 1)
		return adopt(intake, &head, job);
	return rc == -EBADMSG ? set_aside(intake, id) : rc;
}

static int visit(uint64_t id, void *arg)
{
	struct intake *intake = arg;

	if (hand_find(&intake->hand, id) != HAND_NONE)
		return 0;
	return take(intake, id, false);
}

int intake_look_into_journal(struct intake *intake)
{
	intake->next_look = tick_after(INTAKE_LOOK_NS);
	return journal_each(intake->options->journal, visit, intake);
}

/* ---- the queue ----------------------------------------------------------------- */

/* Make use of the message, which says no more than that there is a job: what
 * runs is what its record says. Returns 1 when it waits in hand now, 0 when the
 * message was of no use. */
static int accept_ticket(struct intake *intake)
{
	const struct journal *journal = intake->options->journal;
	const struct job *ticket = intake->message;
	int error = 0;

	if (ticket->journal != journal->identity)
		return report(intake, DISPATCHER_STRANGER, 0);
	if (hand_find(&intake->hand, ticket->id) == HAND_NONE)
		error = take(intake, ticket->id, true);
	if (error)
		return error;
	return hand_find(&intake->hand, ticket->id) == HAND_WAITING;
}

/* Receive until the first job of the queue is in hand, or the queue is
 * empty. */
static int take_ticket(struct intake *intake)
{
	int rc;

	for (;;) {
		rc = jobqueue_receive(intake->options->queue, intake->message,
				      JOBQUEUE_TRY);
		if (rc == 0)
			rc = accept_ticket(intake);
		else if (rc == -EBADMSG)
			rc = report(intake, DISPATCHER_STRANGER, 0);
		if (rc == 1 || rc == -EAGAIN)
			return 0;
		if (rc < 0 && rc != -EINTR)
			return rc;
	}
}

/* ---- both ------------------------------------------------------------------------ */

long intake_waiting(struct intake *intake)
{
	long depth;
	int error = jobqueue_depth(intake->options->queue, &depth);

	if (!error && depth == 0 && hand_waiting(&intake->hand) == 0)
		error = intake_look_into_journal(intake);
	return error ? error : depth + (long)hand_waiting(&intake->hand);
}

int intake_next(struct intake *intake, const struct job **job)
{
	int64_t aging_ns = intake->options->aging_ns;
	int error = take_ticket(intake);
	/* However many tickets there are, a job without one may be the most
	 * urgent. And with aging, those whose time may have come lie further
	 * back in the queue, where the kernel shows them to nobody. */
	bool must_look = tick_is_over(intake->next_look) || aging_ns > 0;

	if (!error && must_look)
		error = intake_look_into_journal(intake);
	if (error)
		return error;
	*job = hand_take(&intake->hand, aging_ns);
	return *job ? 1 : 0;
}
