#include "p01-pipeline/cmd/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cmd/die.h"
#include "lib/cmd/out.h"

/* A start has three descriptors of pipes in use at most, and the numbers that
 * are closed are the next to be given out: all starts use the same three. */
enum { STREAMS = 3, PIPE_ENDS = 3, FIRST = 2 + STREAMS };

struct trace {
	struct out_table *table;
	int fds[PIPE_ENDS]; /* descriptor numbers, rising; -1: unused */
};

/* Put fd in its place among the numbers seen so far. */
static void note_fd(struct trace *trace, int fd)
{
	for (int i = 0; i < PIPE_ENDS && fd >= 0; i++) {
		int old = trace->fds[i];

		if (old == fd)
			return;
		if (old < 0 || old > fd) {
			trace->fds[i] = fd;
			fd = old;
		}
	}
}

/* One end of the pipe in front of stage number i + 1. Closed ends stand in
 * brackets; fd < 0 is the caller's own stream. */
static void add_end(struct trace *trace, int fd, size_t i, char end,
		    bool is_closed)
{
	if (fd < 0)
		out_table_cell(trace->table, "=");
	else
		out_table_cell(trace->table, "%spipe %zu %c%s",
			       is_closed ? "(" : "", i, end,
			       is_closed ? ")" : "");
}

/* The columns from 3 on. next_is_closed: in the stage, not in mypipe. */
static void add_ends(struct trace *trace, const struct pipeline_wiring *w,
		     size_t i, bool next_is_closed)
{
	for (int c = 0; c < PIPE_ENDS && trace->fds[c] >= 0; c++) {
		int fd = trace->fds[c];

		if (fd == w->in)
			add_end(trace, fd, i, 'r', true);
		else if (fd == w->out)
			add_end(trace, fd, i + 1, 'w', true);
		else if (fd == w->next)
			add_end(trace, fd, i + 1, 'r', next_is_closed);
		else
			out_table_cell(trace->table, "%s", "");
	}
}

static void add_stage(struct trace *trace, const struct pipeline *p, size_t i)
{
	const struct pipeline_stage *stage = &p->stages[i];
	const struct pipeline_wiring *w = &stage->wiring;

	out_table_row(trace->table);
	out_table_cell(trace->table, "%zu %.20s", i + 1, stage->argv[0]);
	if (stage->pid)
		out_table_cell(trace->table, "%d", (int)stage->pid);
	else
		out_table_cell(trace->table, "-");
	add_end(trace, w->in, i, 'r', false);
	add_end(trace, w->out, i + 1, 'w', false);
	out_table_cell(trace->table, "=");
	add_ends(trace, w, i, true);

	out_table_row(trace->table);
	out_table_cell(trace->table, "  mypipe");
	out_table_cell(trace->table, "%d", (int)getpid());
	for (int c = 0; c < STREAMS; c++)
		out_table_cell(trace->table, "=");
	add_ends(trace, w, i, false);
}

int report_trace(const struct pipeline *p)
{
	char titles[PIPE_ENDS][12] = {""};
	struct out_column columns[FIRST + PIPE_ENDS] = {
		{"process", OUT_LEFT}, {"pid", OUT_RIGHT}, {"0", OUT_LEFT},
		{"1", OUT_LEFT},       {"2", OUT_LEFT},
	};
	struct trace trace = {.fds = {-1, -1, -1}};
	size_t n = FIRST;
	int rc;

	for (size_t i = 0; i < p->n; i++) {
		note_fd(&trace, p->stages[i].wiring.in);
		note_fd(&trace, p->stages[i].wiring.out);
		note_fd(&trace, p->stages[i].wiring.next);
	}
	for (int c = 0; c < PIPE_ENDS && trace.fds[c] >= 0; c++) {
		snprintf(titles[c], sizeof(titles[c]), "%d", trace.fds[c]);
		columns[n++] = (struct out_column){titles[c], OUT_LEFT};
	}
	trace.table = out_table_new(columns, n);
	if (!trace.table)
		return -ENOMEM;
	for (size_t i = 0; i < p->n; i++)
		add_stage(&trace, p, i);
	out_table_note(trace.table,
		       "= what mypipe was started with; in brackets: closed "
		       "by exec in a stage, by close in mypipe");
	rc = out_table_print(trace.table, stderr);
	out_table_free(trace.table);
	return rc;
}

static void add_ending(struct out_table *table, const struct pipeline *p,
		       size_t i)
{
	const struct pipeline_stage *stage = &p->stages[i];
	char buf[64];

	out_table_row(table);
	out_table_cell(table, "%zu", i + 1);
	if (!stage->pid) {
		out_table_cell(table, "-");
		out_table_cell(table, "not started: %s",
			       strerrordesc_np(-stage->error));
		out_table_cell(table, "%d", pipeline_stage_exit_code(stage));
		out_table_cell(table, "-");
		out_table_cell(table, "-");
	} else {
		out_table_cell(table, "%d", (int)stage->pid);
		out_table_cell(table, "%s",
			       child_describe(stage->status, buf, sizeof(buf)));
		out_table_cell(table, "%d", pipeline_stage_exit_code(stage));
		out_table_cell(table, "%s",
			       out_duration((double)(stage->end - stage->start),
					    buf, sizeof(buf)));
		out_table_cell(
			table, "%s",
			out_duration((double)stage->cpu_ns, buf, sizeof(buf)));
	}
	out_table_cell(table, "%.40s", stage->argv[0]);
}

int report_status(const struct pipeline *p)
{
	static const struct out_column columns[] = {
		{"stage", OUT_RIGHT},   {"pid", OUT_RIGHT},
		{"ended", OUT_LEFT},    {"status", OUT_RIGHT},
		{"elapsed", OUT_RIGHT}, {"cpu", OUT_RIGHT},
		{"program", OUT_LEFT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	int rc;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < p->n; i++)
		add_ending(table, p, i);
	rc = out_table_print(table, stderr);
	out_table_free(table);
	return rc;
}

void report_failed_starts(const struct pipeline *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->stages[i].error)
			die_warn_errno(p->stages[i].error,
				       "cannot run '%.200s' (stage %zu)",
				       p->stages[i].argv[0], i + 1);
}
