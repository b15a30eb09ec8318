#include "p04-posix-mq/cmd/list.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/cmd/die.h"
#include "lib/cmd/out.h"
#include "lib/tick.h"
#include "p04-posix-mq/durable/record.h"
#include "p04-posix-mq/job.h"
#include "p04-posix-mq/jobqueue.h"

struct line {
	struct job *job;
	uint32_t attempts;
	const char *state;
};

struct list {
	const struct journal *journal;
	bool is_served;
	long depth, capacity; /* -1: there is no queue */
	struct line *line;
	size_t n, room;
};

/* ---- collecting ------------------------------------------------------------- */

static const char *state_of(const struct list *list, uint64_t id, int fd,
			    const struct record_head *head)
{
	if (record_is_being_submitted(fd))
		return "submitting";
	if (head->leader.pid == 0)
		return "waiting";
	/* What its command still does is not going to count: its worker is
	 * ending it, or the next dispatcher will. */
	if (!list->is_served)
		return "interrupted";
	if (record_is_running(list->journal->dir, id))
		return "running";
	return "waiting"; /* for another attempt, or for its record to go */
}

static int add(struct list *list, struct job *job, uint32_t attempts,
	       const char *state)
{
	if (list->n == list->room) {
		size_t room = list->room ? 2 * list->room : 16;
		struct line *grown =
			reallocarray(list->line, room, sizeof(*grown));

		if (!grown) {
			free(job);
			return -ENOMEM;
		}
		list->line = grown;
		list->room = room;
	}
	list->line[list->n++] = (struct line){job, attempts, state};
	return 0;
}

/* Records that go meanwhile or have ended are left out. */
static int visit(uint64_t id, void *arg)
{
	struct list *list = arg;
	int fd = record_open(list->journal->dir, id), error;
	struct record_head head;
	struct job *job = NULL;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	error = record_read(fd, &head, &job);
	if (!error && head.outcome == RECORD_PENDING)
		error = add(list, job, head.attempts,
			    state_of(list, id, fd, &head));
	else
		free(job);
	close(fd);
	if (error != -EBADMSG && error != -EPROTONOSUPPORT)
		return error;
	die_warn("record '%" PRIu64 ".job' is %s", id,
		 error == -EBADMSG ? "damaged" : "of another version");
	return 0;
}

static int look_at_queue(struct list *list, const char *name)
{
	struct jobqueue queue;
	int error = jobqueue_join(&queue, name);

	list->depth = list->capacity = -1;
	if (error)
		return error == -ENOENT ? 0 : error;
	error = jobqueue_depth(&queue, &list->depth);
	list->capacity = queue.capacity;
	jobqueue_close(&queue);
	return error;
}

static int by_urgency(const void *a, const void *b)
{
	const struct line *left = a, *right = b;

	return job_precedes(left->job, right->job, 0) ? -1 : 1;
}

static int64_t age_ns(const struct job *job)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return tick_from_timespec(now) - job->submitted;
}

/* ---- printing ----------------------------------------------------------------- */

static int print_table(const struct list *list, const char *name)
{
	static const struct out_column columns[] = {
		{"Id", OUT_RIGHT},   {"Priority", OUT_RIGHT},
		{"State", OUT_LEFT}, {"Attempts", OUT_RIGHT},
		{"Age", OUT_RIGHT},  {"Command", OUT_LEFT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	char age[32], command[60];
	int error;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		const struct line *line = &list->line[i];

		out_table_row(table);
		out_table_cell(table, "%" PRIu64, line->job->id);
		out_table_cell(table, "%" PRIu32, line->job->priority);
		out_table_cell(table, "%s", line->state);
		out_table_cell(table, "%" PRIu32, line->attempts);
		out_table_cell(table, "%s",
			       out_duration((double)age_ns(line->job), age,
					    sizeof(age)));
		out_table_cell(
			table, "%s",
			job_describe(line->job, command, sizeof(command)));
	}
	if (list->depth < 0)
		printf("Queue %s: not there", name);
	else
		printf("Queue %s: %ld of %ld messages", name, list->depth,
		       list->capacity);
	printf(", %s\n", list->is_served ? "a dispatcher is running"
					 : "no dispatcher is running");
	error = list->n > 0 ? out_table_print(table, stdout) : 0;
	out_table_free(table);
	return error;
}

static json_t *number_or_null(long value)
{
	return value < 0 ? json_null() : json_integer(value);
}

static int print_json(const struct list *list, const char *name)
{
	json_t *jobs = json_array();

	for (size_t i = 0; i < list->n; i++) {
		const struct line *line = &list->line[i];
		const struct job *job = line->job;

		/* A command that is not UTF-8 becomes null. */
		json_array_append_new(
			jobs,
			json_pack("{sI si ss si sI so}", "id",
				  (json_int_t)job->id, "priority",
				  (int)job->priority, "state", line->state,
				  "attempts", (int)line->attempts, "age_ns",
				  (json_int_t)age_ns(job), "command",
				  json_string(job->command) ?: json_null()));
	}
	return out_json(json_pack("{ss ss sb so so so}", "schema",
				  "unixipc-jobs/1", "queue", name, "dispatcher",
				  (int)list->is_served, "depth",
				  number_or_null(list->depth), "capacity",
				  number_or_null(list->capacity), "jobs", jobs),
			stdout);
}

int list_print(const struct journal *journal, const char *queue_name,
	       bool as_json)
{
	struct list list = {
		.journal = journal,
		.is_served = journal_is_served(journal),
	};
	int error = look_at_queue(&list, queue_name);

	if (!error)
		error = journal_each(journal, visit, &list);
	if (!error) {
		if (list.n > 1)
			qsort(list.line, list.n, sizeof(*list.line),
			      by_urgency);
		error = as_json ? print_json(&list, queue_name)
				: print_table(&list, queue_name);
	}
	for (size_t i = 0; i < list.n; i++)
		free(list.line[i].job);
	free(list.line);
	return error;
}
