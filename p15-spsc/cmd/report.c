#include "p15-spsc/cmd/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/cmd/out.h"

static const double percents[] = {50, 99, 99.9};
static const char *const percent_keys[] = {"p50_ns", "p99_ns", "p99_9_ns"};

enum { PERCENTS = sizeof(percents) / sizeof(percents[0]) };

const char *report_count(uint64_t n, char *buf, size_t size)
{
	if (n < 1000000)
		snprintf(buf, size, "%" PRIu64, n);
	else if (n % 1000000 == 0)
		snprintf(buf, size, "%" PRIu64 " million", n / 1000000);
	else
		snprintf(buf, size, "%.3g million", (double)n / 1e6);
	return buf;
}

double report_ops(const struct report *report, const struct report_row *row)
{
	return stats_median(row->ops_per_s, (size_t)report->n_rounds);
}

static double speedup(const struct report *report, const struct report_row *row)
{
	return report_ops(report, row) / report_ops(report, &report->rows[1]);
}

double report_handover(const struct report_row *row, double percent)
{
	return (double)stats_percentile(row->trips, percent) / 2;
}

/* "45M", with a digit behind the point below 10. */
static const char *ops_text(double ops, char *buf, size_t size)
{
	if (ops >= 10e6)
		snprintf(buf, size, "%.0fM", ops / 1e6);
	else if (ops >= 100e3)
		snprintf(buf, size, "%.1fM", ops / 1e6);
	else
		snprintf(buf, size, "%.1fK", ops / 1e3);
	return buf;
}

static const char *time_text(double ns, char *buf, size_t size)
{
	if (ns < 10e3)
		snprintf(buf, size, "%.0fns", ns);
	else
		snprintf(buf, size, "%.1fus", ns / 1e3);
	return buf;
}

static int print_table(const struct report *report)
{
	static const struct out_column columns[] = {
		{"Hand-over", OUT_LEFT}, {"p50", OUT_RIGHT},
		{"p99", OUT_RIGHT},      {"p99.9", OUT_RIGHT},
		{"ops/sec", OUT_RIGHT},  {"over mutex", OUT_RIGHT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	char buf[32];
	int error;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < report->n_rows; i++) {
		const struct report_row *row = &report->rows[i];

		out_table_row(table);
		out_table_cell(table, "%s", row->contender->title);
		for (size_t k = 0; k < PERCENTS; k++)
			out_table_cell(
				table, "%s",
				time_text(report_handover(row, percents[k]),
					  buf, sizeof(buf)));
		out_table_cell(
			table, "%s",
			ops_text(report_ops(report, row), buf, sizeof(buf)));
		out_table_cell(table, "%.1fx", speedup(report, row));
	}
	error = out_table_print(table, stdout);
	out_table_free(table);
	return error;
}

int report_text(const struct report *report)
{
	const struct report_row *ours = &report->rows[0];
	const struct report_row *mutex = &report->rows[1];
	char buf[32], other[32];

	for (size_t i = 0; i < report->n_rows; i++)
		if (!report->rows[i].contender->is_extra)
			printf("%s: %s ops/sec\n",
			       report->rows[i].contender->title,
			       ops_text(report_ops(report, &report->rows[i]),
					buf, sizeof(buf)));
	printf("Speedup: %.1fx over mutex\n", speedup(report, ours));
	printf("Latency (p99): %s vs %s\n\n",
	       time_text(report_handover(ours, 99), buf, sizeof(buf)),
	       time_text(report_handover(mutex, 99), other, sizeof(other)));
	return print_table(report);
}

/* ---- JSON ------------------------------------------------------------------- */

static json_t *row_to_json(const struct report *report,
			   const struct report_row *row)
{
	json_t *handover = json_object(), *rounds = json_array();

	for (size_t k = 0; k < PERCENTS; k++)
		json_object_set_new(
			handover, percent_keys[k],
			json_real(report_handover(row, percents[k])));
	for (int i = 0; i < report->n_rounds; i++)
		json_array_append_new(rounds, json_real(row->ops_per_s[i]));
	return json_pack("{s:s, s:s, s:f, s:o, s:o}", "name",
			 row->contender->name, "title", row->contender->title,
			 "ops_per_s", report_ops(report, row), "rounds", rounds,
			 "handover", handover);
}

int report_json(const struct report *report)
{
	const struct contender_plan *plan = &report->plan;
	json_t *rows = json_array();

	for (size_t i = 0; i < report->n_rows; i++)
		json_array_append_new(rows,
				      row_to_json(report, &report->rows[i]));
	return out_json(
		json_pack(
			"{s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:[ii], s:f, s:o}",
			"schema", "unixipc-lockfree/1", "operations",
			(json_int_t)plan->items, "round_trips",
			(json_int_t)report->trips, "item_bytes",
			(json_int_t)plan->item_bytes, "capacity",
			(json_int_t)plan->capacity, "batch",
			(json_int_t)plan->batch, "sides",
			plan->is_shared ? "processes" : "threads", "cpus",
			report->cpus[0], report->cpus[1], "speedup",
			speedup(report, &report->rows[0]), "queues", rows),
		stdout);
}
