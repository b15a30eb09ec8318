/* Results for other programs that read tables. */
#include "p06-bench/cmd/print.h"

#include <errno.h>
#include <stddef.h>

#include "lib/cmd/out.h"
#include "lib/measure/trial.h"

static const struct out_column csv_columns[] = {
	{"mechanism", OUT_LEFT},    {"msg_size", OUT_LEFT},
	{"throughput", OUT_LEFT}, /* bytes/s */
	{"latency", OUT_LEFT},    /* mean round trip, ns */
	{"placement", OUT_LEFT},    {"messages", OUT_LEFT},
	{"round_trips", OUT_LEFT},  {"messages_per_s", OUT_LEFT},
	{"rtt_p50", OUT_LEFT},      {"rtt_p99", OUT_LEFT},
	{"rtt_p999", OUT_LEFT},     {"rtt_max", OUT_LEFT},
	{"cpu_ns", OUT_LEFT},       {"switches", OUT_LEFT},
	{"rtt_cpu_ns", OUT_LEFT},   {"rtt_switches", OUT_LEFT},
	{"disturbed", OUT_LEFT},    {"spread_throughput", OUT_LEFT},
	{"spread_rtt", OUT_LEFT},   {"unstable", OUT_LEFT},
	{"is_disturbed", OUT_LEFT}, {"error", OUT_LEFT},
};
#define CSV_COLUMNS (sizeof(csv_columns) / sizeof(csv_columns[0]))

static void add_csv_row(struct out_table *table, const struct results_row *row)
{
	const struct measure_result *f = &row->figures;
	const struct measure_trial *m = &f->median;

	out_table_row(table);
	out_table_cell(table, "%s", row->name);
	out_table_cell(table, "%zu", f->options.message_bytes);
	if (results_row_is_good(row)) {
		out_table_cell(table, "%.0f", m->bytes_per_s);
		out_table_cell(table, "%.1f", m->rtt_mean);
	} else {
		out_table_cell(table, "%s", "");
		out_table_cell(table, "%s", "");
	}
	out_table_cell(table, "%s",
		       results_placement_word(f->options.placement));
	for (size_t i = 0; i < TRIAL_FIELDS; i++) {
		const size_t at = trial_fields[i].offset;

		if (at == offsetof(struct measure_trial, bytes_per_s) ||
		    at == offsetof(struct measure_trial, rtt_mean))
			continue; /* stands under its other name */
		if (results_row_is_good(row))
			out_table_cell(table, "%.12g", trial_get(m, i));
		else
			out_table_cell(table, "%s", "");
	}
	out_table_cell(table, "%.4f", f->spread_throughput);
	out_table_cell(table, "%.4f", f->spread_rtt);
	out_table_cell(table, "%s", f->is_unstable ? "yes" : "no");
	out_table_cell(table, "%s", m->is_disturbed ? "yes" : "no");
	out_table_cell(table, "%s", f->why);
}

int print_csv(const struct results *results, FILE *to)
{
	struct out_table *table = out_table_new(csv_columns, CSV_COLUMNS);
	int r;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < results->n; i++)
		add_csv_row(table, &results->row[i]);
	r = out_table_print_csv(table, to);
	out_table_free(table);
	return r;
}
