#include "suite/sync/syncs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/out.h"
#include "lib/measure/measure.h"
#include "lib/stats.h"
#include "suite/sync/contend.h"

/* What the trials of one row have brought so far: [0] alone, [1] contended. */
struct trials {
	int n[2];
	double ops_per_s[2][MEASURE_TRIALS_MAX];
	double cpu_ns[2][MEASURE_TRIALS_MAX];
	double share[2][MEASURE_TRIALS_MAX];
};

/* ---- measuring ---------------------------------------------------------------- */

static void describe(int error, struct syncs_row *row)
{
	row->error = error;
	switch (error) {
	case -EBADMSG:
		snprintf(row->why, sizeof(row->why),
			 "did not keep its promise: no figures");
		break;
	case -ETIMEDOUT:
		snprintf(row->why, sizeof(row->why), "hung, and was killed");
		break;
	default:
		snprintf(row->why, sizeof(row->why), "%s",
			 strerrordesc_np(-error));
	}
}

static int run_trial(const struct syncs_plan *plan, const struct syncop *op,
		     int is_contended, struct syncs_row *row,
		     struct trials *trials)
{
	const struct contend_options options = {
		.cpus = {plan->cpus[0], plan->cpus[1]},
		.trial_ns = plan->trial_ns,
		.stop_fd = plan->stop_fd};
	struct contend_trial trial;
	int at = trials->n[is_contended];
	int error = contend_run(op, 1 + is_contended, &options, &trial);

	if (error == -EINTR)
		return error;
	if (error) {
		describe(error, row);
		return 0;
	}
	trials->ops_per_s[is_contended][at] = trial.ops_per_s;
	trials->cpu_ns[is_contended][at] = trial.cpu_ns;
	trials->share[is_contended][at] = trial.share;
	trials->n[is_contended]++;
	return 0;
}

static struct syncs_figure median_of(const struct trials *trials, int which)
{
	size_t n = (size_t)trials->n[which];

	return (struct syncs_figure){
		.ops_per_s = stats_median(trials->ops_per_s[which], n),
		.spread = stats_spread(trials->ops_per_s[which], n),
		.cpu_ns = stats_median(trials->cpu_ns[which], n),
		.share = stats_median(trials->share[which], n)};
}

static void start_row(const struct syncop *op, struct syncs_row *row)
{
	*row = (struct syncs_row){.meets = op->meets};
	snprintf(row->name, sizeof(row->name), "%s", op->name);
	snprintf(row->title, sizeof(row->title), "%s", op->title);
}

int syncs_run(const struct syncs_plan *plan, struct syncs *syncs)
{
	struct trials *all = calloc(SYNCS_MAX, sizeof(*all));
	uint64_t done = 0, total;
	int error = 0;

	*syncs = (struct syncs){0};
	if (!all)
		return -ENOMEM;
	for (; syncs->n < SYNCS_MAX && plan->ops[syncs->n]; syncs->n++)
		start_row(plan->ops[syncs->n], &syncs->row[syncs->n]);
	total = (uint64_t)plan->trials * syncs->n * 2;
	/* Round by round, so that a change of the weather hits all rows. */
	while (done < total && !error) {
		size_t i = done % (syncs->n * 2);
		struct syncs_row *row = &syncs->row[i / 2];

		if (plan->progress)
			plan->progress(plan->arg, done, total, row->title);
		if (!row->error)
			error = run_trial(plan, plan->ops[i / 2], i % 2, row,
					  &all[i / 2]);
		done++;
	}
	for (size_t i = 0; i < syncs->n; i++) {
		syncs->row[i].alone = median_of(&all[i], 0);
		syncs->row[i].contended = median_of(&all[i], 1);
	}
	if (error)
		syncs->n = 0;
	free(all);
	return error;
}

/* ---- printing --------------------------------------------------------------------- */

static void add_figure(struct out_table *table, const struct syncs_figure *f)
{
	char text[32];

	out_table_cell(table, "%s",
		       out_number(f->ops_per_s, text, sizeof(text)));
	out_table_cell(table, "%s",
		       out_duration(f->cpu_ns, text, sizeof(text)));
	out_table_cell(table, "%.0f%%", 100 * f->spread);
}

const struct syncs_kind syncs_kind_sync = {
	.key = "sync",
	.title = "Synchronisation",
	.first = "Primitive",
	.note = "An operation is to enter and to leave (of a barrier: one "
		"round); two processes\ncontend for one lock with nothing else "
		"to do, and every entry is verified. CPU is\nof both, and the "
		"lesser share is what the process that got less had of all.\n",
};

const struct syncs_kind syncs_kind_storage = {
	.key = "storage",
	.title = "Storage",
	.first = "Store",
	.note = "An operation is one get, or one set in a commit of its own, "
		"of a record of\n16 + 100 bytes among 10000 at random; two "
		"processes share the file. What was\nread is verified. "
		"\"Durable\" survives a power cut, all else kill -9. Of "
		"kv there\nare 200 records on three servers of this "
		"machine, whose CPU is not counted.\n",
};

int syncs_print(const struct syncs *syncs, const struct syncs_kind *kind,
		FILE *to)
{
	const struct out_column columns[] = {
		{kind->title, OUT_LEFT},      {"Alone: ops/s", OUT_RIGHT},
		{"CPU/op", OUT_RIGHT},        {"spread", OUT_RIGHT},
		{"By two: ops/s", OUT_RIGHT}, {"CPU/op", OUT_RIGHT},
		{"spread", OUT_RIGHT},        {"lesser share", OUT_RIGHT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	int error;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < syncs->n; i++) {
		const struct syncs_row *row = &syncs->row[i];

		if (row->error) {
			out_table_note(table, "%s: %s", row->title, row->why);
			continue;
		}
		out_table_row(table);
		out_table_cell(table, "%s", row->title);
		add_figure(table, &row->alone);
		add_figure(table, &row->contended);
		if (!row->meets)
			out_table_cell(table, "%.0f%%",
				       100 * row->contended.share);
	}
	error = out_table_print(table, to);
	out_table_free(table);
	fprintf(to, "\n%s", kind->note);
	return error;
}
