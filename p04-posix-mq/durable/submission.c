#include "p04-posix-mq/durable/submission.h"

#include <errno.h>
#include <unistd.h>

#include "p04-posix-mq/durable/record.h"

static int open_queue(struct submission *s, const char *name)
{
	int error = jobqueue_join(&s->queue, name);

	if (!error && job_bytes(s->job) > s->queue.message_bytes) {
		jobqueue_close(&s->queue);
		error = -EMSGSIZE;
	}
	return error;
}

int submission_begin(struct submission *s, struct journal *journal,
		     const char *queue_name, struct job *job)
{
	int error;

	*s = (struct submission){.journal = journal, .job = job, .record = -1};
	/* Between enter and leave the queue's name is not removed: the queue
	 * that we open is the one that the dispatcher looks into. */
	error = journal_enter(journal);
	if (error)
		return error;
	error = open_queue(s, queue_name);
	if (error)
		goto leave;
	error = journal_next_id(journal, &job->id);
	if (error)
		goto close;
	job->journal = journal->identity;
	s->record = record_create(journal->dir, job);
	if (s->record >= 0)
		return 0;
	error = s->record;
close:
	jobqueue_close(&s->queue);
leave:
	journal_leave(journal);
	return error;
}

int submission_send(struct submission *s, int64_t deadline)
{
	int error = jobqueue_send(&s->queue, s->job, deadline);

	if (error)
		return error;
	s->is_sent = true;
	return record_commit(s->record);
}

void submission_end(struct submission *s)
{
	if (!s->is_sent)
		record_remove(s->journal->dir, s->job->id);
	if (s->record >= 0)
		close(s->record);
	s->record = -1;
	jobqueue_close(&s->queue);
	journal_leave(s->journal);
}
