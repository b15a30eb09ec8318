#include "p04-posix-mq/scheduler.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/identity.h"
#include "p04-posix-mq/durable/record.h"

/* ---- pending jobs ----------------------------------------------------------- */

static struct scheduler_entry *find(const struct scheduler *s, uint64_t id)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->entry[i].job->id == id)
			return &s->entry[i];
	return NULL;
}

int scheduler_add(struct scheduler *s, struct job *job)
{
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 16;
		struct scheduler_entry *grown =
			reallocarray(s->entry, room, sizeof(*grown));

		if (!grown) {
			free(job);
			return -ENOMEM;
		}
		s->entry = grown;
		s->room = room;
	}
	s->entry[s->n++] = (struct scheduler_entry){.job = job};
	return 0;
}

enum scheduler_state scheduler_find(const struct scheduler *s, uint64_t id)
{
	const struct scheduler_entry *entry = find(s, id);

	if (!entry)
		return SCHEDULER_NONE;
	return entry->is_running ? SCHEDULER_RUNNING : SCHEDULER_WAITING;
}

static bool may_start(const struct scheduler_entry *entry)
{
	return !entry->is_running &&
	       (!entry->was_held || tick_is_over(entry->not_before));
}

size_t scheduler_ready(const struct scheduler *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += may_start(&s->entry[i]);
	return n;
}

const struct job *scheduler_take(struct scheduler *s)
{
	struct scheduler_entry *first = NULL;

	for (size_t i = 0; i < s->n; i++) {
		struct scheduler_entry *entry = &s->entry[i];

		if (may_start(entry) &&
		    (!first ||
		     job_precedes(entry->job, first->job, s->aging_ns)))
			first = entry;
	}
	if (!first)
		return NULL;
	first->is_running = true;
	return first->job;
}

void scheduler_put_back(struct scheduler *s, uint64_t id)
{
	struct scheduler_entry *entry = find(s, id);

	if (entry)
		entry->is_running = false;
}

bool scheduler_hold(struct scheduler *s, uint64_t id, int64_t not_before)
{
	struct scheduler_entry *entry = find(s, id);
	bool is_first = entry && !entry->was_held;

	if (entry) {
		entry->is_running = false;
		entry->was_held = true;
		entry->not_before = not_before;
	}
	return is_first;
}

bool scheduler_was_held(const struct scheduler *s, uint64_t id)
{
	const struct scheduler_entry *entry = find(s, id);

	return entry && entry->was_held;
}

void scheduler_drop(struct scheduler *s, uint64_t id)
{
	struct scheduler_entry *entry = find(s, id);

	if (!entry)
		return;
	free(entry->job);
	*entry = s->entry[--s->n];
}

/* ---- the journal ------------------------------------------------------------ */

/* Take over the job of a record that was read. */
static int adopt(struct scheduler *s, const struct record_head *head,
		 struct job *job)
{
	int error;

	if (head->outcome == RECORD_PENDING) {
		/* Early; its next worker sees to it that they have ended. */
		identity_signal_group(&head->leader, -1, SIGKILL);
		return scheduler_add(s, job);
	}
	/* A crash came between its end and this. */
	error = record_remove(s->journal->dir, job->id);
	free(job);
	return error;
}

/* Read the job of that record: 1; 0 when it is gone, or, without its message,
 * still being submitted; or -errno. */
static int read_record(int dir, uint64_t id, bool has_message,
		       struct record_head *head, struct job **job)
{
	int fd = record_open(dir, id), error;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (!has_message && record_is_being_submitted(fd)) {
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

/* Make a job pending that is not yet, as its record has it. */
static int find_record(struct scheduler *s, uint64_t id, bool has_message)
{
	struct record_head head;
	struct job *job;
	int rc = read_record(s->journal->dir, id, has_message, &head, &job);

	if (rc == 1)
		return adopt(s, &head, job);
	if (rc == -EBADMSG)
		rc = record_set_aside(s->journal->dir, id)
			     ?: s->on_unsound(id, s->arg);
	return rc;
}

static int visit(uint64_t id, void *arg)
{
	return find(arg, id) ? 0 : find_record(arg, id, false);
}

int scheduler_look_into_journal(struct scheduler *s)
{
	s->next_look = tick_after(SCHEDULER_LOOK_NS);
	return journal_each(s->journal, visit, s);
}

/* ---- the queue ----------------------------------------------------------------- */

/* Make use of the message, which says no more than that there is a job: what
 * runs is what its record says. Returns 1 when the job is pending now, 0 when
 * the message was of no use. */
static int accept_message(struct scheduler *s)
{
	const struct job *message = s->message;
	int error = 0;

	if (message->journal != s->journal->identity)
		return s->on_unsound(0, s->arg);
	if (!find(s, message->id))
		error = find_record(s, message->id, true);
	if (error)
		return error;
	return scheduler_find(s, message->id) == SCHEDULER_WAITING;
}

/* Receive until the first job of the queue is pending, or the queue is empty. */
static int receive(struct scheduler *s)
{
	int rc;

	for (;;) {
		rc = jobqueue_receive(s->queue, s->message, JOBQUEUE_TRY);
		if (rc == 0)
			rc = accept_message(s);
		else if (rc == -EBADMSG)
			rc = s->on_unsound(0, s->arg);
		if (rc == 1 || rc == -EAGAIN)
			return 0;
		if (rc < 0 && rc != -EINTR)
			return rc;
	}
}

/* ---- both ------------------------------------------------------------------------ */

int scheduler_open(struct scheduler *s)
{
	s->message = malloc(s->queue->message_bytes);
	return s->message ? 0 : -ENOMEM;
}

void scheduler_close(struct scheduler *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->entry[i].job);
	free(s->entry);
	free(s->message);
	s->entry = NULL;
	s->message = NULL;
	s->n = s->room = 0;
}

long scheduler_waiting(struct scheduler *s)
{
	long depth;
	int error = jobqueue_depth(s->queue, &depth);

	if (!error && depth == 0 && scheduler_ready(s) == 0)
		error = scheduler_look_into_journal(s);
	return error ? error : depth + (long)scheduler_ready(s);
}

int scheduler_next(struct scheduler *s, const struct job **job)
{
	int error = receive(s);
	/* However many messages there are, a job without one may be the most
	 * urgent. And with aging, those whose time may have come lie further
	 * back in the queue, where the kernel shows them to nobody. */
	bool must_look = tick_is_over(s->next_look) || s->aging_ns > 0;

	if (!error && must_look)
		error = scheduler_look_into_journal(s);
	if (error)
		return error;
	*job = scheduler_take(s);
	return *job ? 1 : 0;
}
