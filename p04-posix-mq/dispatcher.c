/* dispatcher.c - one loop around one poll(2).
 *
 *	queue (a message) ──> pending ──> a slot, running ──> ended
 *	journal (a record) ──┘     └─── worker died ──┘
 *
 * scheduler.c is the left half, slot.c the right one.
 */
#include "p04-posix-mq/dispatcher.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "lib/tick.h"
#include "p04-posix-mq/scheduler.h"
#include "p04-posix-mq/slot.h"
#include "p04-posix-mq/worker.h"

struct dispatcher {
	const struct dispatcher_options *options;
	struct scheduler scheduler;
	struct wake wake;
	struct slot *slot;
	struct slot_options slot_options;
	struct pollfd *fds;  /* stop, wake, outlets, then those of the slots */
	int busy;            /* slots in use */
	int64_t next_check;  /* of the queue's name */
	int64_t start_after; /* when the linger is over; TICK_NEVER while
			      * there is nothing to do */
	int lingers_left;
	long burst; /* how many jobs had come when it began */
	int first;  /* the slot that may write first, each in turn */
	bool is_stopped, is_drained, is_short;
};

enum { FD_STOP, FD_WAKE, FD_OUT, FD_ERR, FD_SLOTS };

static int report(const struct dispatcher *d, enum dispatcher_event event,
		  const struct job *job, long n)
{
	int rc = d->options->report(event, job, n, d->options->arg);

	return rc < 0 ? rc : 0;
}

/* For the scheduler. */
static int report_unsound(uint64_t id, void *arg)
{
	return report(arg, id ? DISPATCHER_UNSOUND : DISPATCHER_STRANGER, NULL,
		      (long)id);
}

/* ---- starting jobs --------------------------------------------------------- */

/* An idle dispatcher that gets work lingers first: the jobs of a burst meet in
 * the queue, and the most urgent one starts first. As long as more come it
 * lingers again, but not for ever. */
static int linger(struct dispatcher *d)
{
	long waiting;

	if (d->busy > 0)
		return 0;
	waiting = scheduler_waiting(&d->scheduler);
	if (waiting < 0)
		return (int)waiting;
	d->is_drained = waiting == 0 && d->options->drain;
	if (waiting == 0) {
		d->start_after = TICK_NEVER;
		d->lingers_left = DISPATCHER_LINGERS;
		d->burst = 0;
	} else if (waiting > d->burst && d->lingers_left > 0) {
		d->start_after = tick_after(d->options->linger_ns);
		d->lingers_left--;
		d->burst = waiting;
	}
	return 0;
}

/* A job that was held back is looked at before it is said to start. */
static bool must_wait(struct dispatcher *d, const struct job *job)
{
	if (!scheduler_was_held(&d->scheduler, job->id) ||
	    !worker_has_left(d->options->journal->dir, job->id))
		return false;
	scheduler_hold(&d->scheduler, job->id, tick_after(DISPATCHER_HOLD_NS));
	return true;
}

static int start_jobs(struct dispatcher *d)
{
	const struct job *job;
	int rc;

	for (int i = 0; i < d->options->workers; i++) {
		if (d->slot[i].job)
			continue;
		rc = scheduler_next(&d->scheduler, &job);
		if (rc <= 0)
			return rc;
		if (must_wait(d, job)) {
			i--;
			continue;
		}
		rc = slot_start(&d->slot[i], &d->slot_options, job);
		if (rc < 0) {
			scheduler_put_back(&d->scheduler, job->id);
			return rc;
		}
		d->busy++;
		d->lingers_left = 0; /* until there is nothing to do again */
		rc = report(d, DISPATCHER_STARTED, job, 0);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Descriptors, processes or memory may be there in a second. */
static int wait_out(struct dispatcher *d, int error)
{
	bool is_new = !d->is_short;

	d->is_short = true;
	d->lingers_left = 0;
	d->start_after = tick_after(TICK_S);
	return is_new ? report(d, DISPATCHER_SHORT, NULL, -error) : 0;
}

/* ---- ending them --------------------------------------------------------------- */

static int finish(struct dispatcher *d, struct slot *slot, int64_t deadline,
		  bool *is_cut)
{
	const struct job *job = slot->job;
	enum slot_result result;
	long n;
	int error = slot_finish(slot, deadline, &result, &n);

	d->busy--;
	*is_cut |= error == -ETIMEDOUT;
	if (error && error != -ETIMEDOUT)
		return error;
	d->is_short &= result == SLOT_SHORT;
	switch (result) {
	case SLOT_STOPPED:
		scheduler_put_back(&d->scheduler, job->id);
		return 0;
	case SLOT_SHORT:
		scheduler_put_back(&d->scheduler, job->id);
		return wait_out(d, (int)-n);
	case SLOT_DIED:
		scheduler_put_back(&d->scheduler, job->id);
		return report(d, DISPATCHER_DIED, job, n);
	case SLOT_HELD:
		return scheduler_hold(&d->scheduler, job->id,
				      tick_after(DISPATCHER_HOLD_NS))
			       ? report(d, DISPATCHER_HELD, job, n)
			       : 0;
	case SLOT_ENDED:
		error = report(d, DISPATCHER_ENDED, job, n);
		break;
	case SLOT_FAILED:
		error = report(d, DISPATCHER_FAILED, job, n);
		break;
	case SLOT_UNSOUND:
		error = report(d, DISPATCHER_UNSOUND, NULL, (long)job->id);
		break;
	}
	scheduler_drop(&d->scheduler, job->id);
	return error;
}

/* Readers are waited for as long as commands are, and no longer. */
static int empty_outlets(struct dispatcher *d, int64_t deadline, bool *is_cut)
{
	struct outlet *const outlet[] = {d->options->out, d->options->err};
	int first = 0;

	for (int i = 0; i < 2; i++) {
		int error = outlet_drain(outlet[i], deadline);

		*is_cut |= error == -ETIMEDOUT;
		if (error && error != -ETIMEDOUT && !first)
			first = error;
	}
	return first;
}

/* End the workers that still run: all are told first, so that they end side by
 * side. */
static int stop_workers(struct dispatcher *d)
{
	bool is_cut = false;
	int64_t deadline;
	int first = 0;

	d->is_stopped = true;
	for (int i = 0; i < d->options->workers; i++)
		if (d->slot[i].job)
			slot_stop(&d->slot[i]);
	for (int i = 0; i < d->options->workers; i++)
		if (d->slot[i].job)
			slot_reap(&d->slot[i]);
	deadline = tick_after(d->options->grace_ns);
	for (int i = 0; i < d->options->workers; i++) {
		int error = d->slot[i].job
				    ? finish(d, &d->slot[i], deadline, &is_cut)
				    : 0;

		if (error && !first)
			first = error;
	}
	if (!first)
		first = empty_outlets(d, deadline, &is_cut);
	if (is_cut && !first)
		first = report(d, DISPATCHER_UNREAD, NULL, 0);
	return first;
}

/* ---- waiting -------------------------------------------------------------------- */

static struct pollfd poll_outlet(const struct outlet *outlet)
{
	return (struct pollfd){
		.fd = outlet_is_free(outlet) ? -1 : outlet->fd,
		.events = POLLOUT,
	};
}

/* The queue is of interest only while a job could start. */
static int wait_for_events(struct dispatcher *d)
{
	bool is_lingering =
		d->start_after != TICK_NEVER && !tick_is_over(d->start_after);
	bool is_open = d->busy < d->options->workers && !is_lingering;
	int64_t until = is_lingering ? d->start_after
			: is_open    ? d->scheduler.next_look
				     : TICK_NEVER;
	int64_t wake_at = until < d->next_check ? until : d->next_check;
	nfds_t n = FD_SLOTS + (nfds_t)d->options->workers * SLOT_FDS;

	d->fds[FD_STOP] = (struct pollfd){
		.fd = d->options->stop_fd,
		.events = POLLIN,
	};
	d->fds[FD_WAKE] = (struct pollfd){
		.fd = is_open ? d->wake.fd : -1,
		.events = POLLIN,
	};
	d->fds[FD_OUT] = poll_outlet(d->options->out);
	d->fds[FD_ERR] = poll_outlet(d->options->err);
	for (int i = 0; i < d->options->workers; i++)
		slot_fill_fds(&d->slot[i], &d->fds[FD_SLOTS + i * SLOT_FDS]);
	if (poll(d->fds, n, tick_left_ms(wake_at)) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

/* Each slot goes first in its turn: else a command that has much to write could
 * keep the output of all other commands from a slow reader for ever. */
static int handle_slots(struct dispatcher *d)
{
	const int workers = d->options->workers;
	bool is_over, is_cut = false;
	int error = 0;

	d->first = (d->first + 1) % workers;
	for (int k = 0; k < workers && !error; k++) {
		int i = (d->first + k) % workers;

		if (!d->slot[i].job)
			continue;
		error = slot_handle(&d->slot[i],
				    &d->fds[FD_SLOTS + i * SLOT_FDS], &is_over);
		if (!error && is_over)
			error = finish(d, &d->slot[i], tick_now(), &is_cut);
	}
	return error;
}

static int handle_events(struct dispatcher *d)
{
	int error = outlet_flush(d->options->out);

	if (!error)
		error = outlet_flush(d->options->err);
	if (!error)
		error = handle_slots(d);
	if (d->fds[FD_STOP].revents)
		d->is_stopped = true;
	return error;
}

/* Once a second: somebody may have removed the queue, and then no job would come
 * but by the journal, and no submitter would find us. */
static int keep_name(struct dispatcher *d)
{
	const struct dispatcher_options *options = d->options;
	int error;

	if (!options->queue_name || !tick_is_over(d->next_check))
		return 0;
	d->next_check = tick_after(TICK_S);
	error = jobqueue_look(options->queue, options->queue_name);
	if (error != -ENOENT)
		return error;
	error = jobqueue_renew(options->queue, options->queue_name);
	if (error)
		return error;
	wake_follow(&d->wake, options->queue->mq);
	return report(d, DISPATCHER_RENEWED, NULL, 0);
}

/* Whether something was started, or may be: then events are to be waited for. */
static int start_what_can(struct dispatcher *d, bool *is_to_wait)
{
	int error = keep_name(d);

	/* Armed before the look into the queue, see wake.h. */
	if (!error)
		error = wake_arm(&d->wake);
	if (!error)
		error = linger(d);
	*is_to_wait = !error && !d->is_drained;
	if (!*is_to_wait || !tick_is_over(d->start_after))
		return error;
	error = start_jobs(d);
	/* Messages of jobs that have ended long ago: look again. */
	*is_to_wait = !error && d->busy > 0;
	return error;
}

static int turn(struct dispatcher *d)
{
	bool is_to_wait;
	int error = start_what_can(d, &is_to_wait);

	if (slot_is_shortage(error)) {
		error = wait_out(d, error);
		is_to_wait = true;
	}
	if (!error && is_to_wait)
		error = wait_for_events(d);
	return error || !is_to_wait ? error : handle_events(d);
}

/* ---- from start to end ------------------------------------------------------------ */

static int open_all(struct dispatcher *d)
{
	size_t workers = (size_t)d->options->workers;
	int error;

	d->scheduler = (struct scheduler){
		.journal = d->options->journal,
		.queue = d->options->queue,
		.aging_ns = d->options->aging_ns,
		.on_unsound = report_unsound,
		.arg = d,
	};
	d->slot_options = (struct slot_options){
		.journal_dir = d->options->journal->dir,
		.max_attempts = d->options->max_attempts,
		.grace_ns = d->options->grace_ns,
		.out = d->options->out,
		.err = d->options->err,
	};
	d->slot = calloc(workers, sizeof(*d->slot));
	d->fds = calloc(FD_SLOTS + workers * SLOT_FDS, sizeof(*d->fds));
	if (!d->slot || !d->fds)
		return -ENOMEM;
	error = scheduler_open(&d->scheduler);
	if (!error)
		error = wake_open(&d->wake, d->options->queue->mq,
				  d->options->wake);
	return error;
}

int dispatcher_run(const struct dispatcher_options *options)
{
	struct dispatcher d = {
		.options = options,
		.wake.fd = -1,
		.start_after = TICK_NEVER,
		.next_check = options->queue_name ? tick_now() : TICK_NEVER,
		.lingers_left = DISPATCHER_LINGERS,
	};
	int error, stop_error;

	error = open_all(&d);
	if (!error)
		error = journal_sweep(options->journal);
	if (!error)
		error = scheduler_look_into_journal(&d.scheduler);
	if (!error && d.scheduler.n > 0)
		error = report(&d, DISPATCHER_FOUND, NULL, (long)d.scheduler.n);
	while (!error && !d.is_stopped && !d.is_drained)
		error = turn(&d);
	stop_error = d.slot ? stop_workers(&d) : 0;

	wake_close(&d.wake);
	scheduler_close(&d.scheduler);
	free(d.fds);
	free(d.slot);
	return error ? error : stop_error;
}
