#include "p06-bench/cmd/print.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "lib/cmd/out.h"

/* Room for any number that out_… writes, with a mark. */
#define CELL 32

const char *print_size(uint64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = {"B", "KB", "MB", "GB"};
	size_t unit = 0;

	while (unit < 3 && bytes > 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(buf, size, "%" PRIu64 "%s", bytes, units[unit]);
	return buf;
}

const char *print_count(uint64_t count, char *buf, size_t size)
{
	static const char *const units[] = {"", "K", "M", "G"};
	size_t unit = 0;

	while (unit < 3 && count > 0 && count % 1000 == 0) {
		count /= 1000;
		unit++;
	}
	snprintf(buf, size, "%" PRIu64 "%s", count, units[unit]);
	return buf;
}

/* ---- winner and simplest ------------------------------------------------------- */

static bool is_first_group(const struct results *results,
			   const struct results_row *row)
{
	const struct measure_options *first = &results->row[0].figures.options;
	const struct measure_options *o = &row->figures.options;

	return o->message_bytes == first->message_bytes &&
	       o->placement == first->placement;
}

static int cost_of(const struct results_row *row)
{
	const struct mechanism_cost *cost = &row->cost;

	return cost->calls + 2 * cost->names +
	       (cost->keeps_boundaries ? 0 : 2) + (cost->can_poll ? 0 : 2);
}

static bool is_faster(const struct results_row *a, const struct results_row *b)
{
	return a->figures.median.bytes_per_s > b->figures.median.bytes_per_s;
}

static bool is_simpler(const struct results_row *a, const struct results_row *b)
{
	if (cost_of(a) != cost_of(b))
		return cost_of(a) < cost_of(b);
	return is_faster(a, b);
}

static const struct results_row *find_best(
	const struct results *results,
	bool (*is_better)(const struct results_row *,
			  const struct results_row *))
{
	const struct results_row *best = NULL;

	for (size_t i = 0; i < results->n; i++) {
		const struct results_row *row = &results->row[i];

		if (!results_row_is_good(row) || !is_first_group(results, row))
			continue;
		if (!best || is_better(row, best))
			best = row;
	}
	return best;
}

const struct results_row *print_winner(const struct results *results)
{
	return find_best(results, is_faster);
}

const struct results_row *print_simplest(const struct results *results)
{
	return find_best(results, is_simpler);
}

static void print_verdict(const struct results *results, FILE *to)
{
	const struct results_row *winner = print_winner(results);
	const struct results_row *simplest = print_simplest(results);
	const char *separator = "; within its spread: ";

	if (!winner || !simplest)
		return;
	fprintf(to, "Winner: %s (for raw throughput", winner->title);
	for (size_t i = 0; i < results->n; i++) {
		const struct results_row *row = &results->row[i];
		const double best = winner->figures.median.bytes_per_s;
		const double least =
			best * (1 - winner->figures.spread_throughput);

		if (row == winner || !results_row_is_good(row) ||
		    !is_first_group(results, row) ||
		    row->figures.median.bytes_per_s < least)
			continue;
		fprintf(to, "%s%s", separator, row->title);
		separator = ", ";
	}
	fprintf(to, ")\nBest simplicity: %s\n", simplest->title);
}

/* ---- the table ----------------------------------------------------------------- */

static bool has_many_sizes(const struct results *results)
{
	for (size_t i = 1; i < results->n; i++)
		if (results->row[i].figures.options.message_bytes !=
		    results->row[0].figures.options.message_bytes)
			return true;
	return false;
}

static void print_title(const struct results *results, FILE *to)
{
	char size[CELL] = "several sizes of", count[CELL], title[160];

	if (!has_many_sizes(results))
		print_size(results->row[0].figures.options.message_bytes, size,
			   sizeof(size));
	print_count(results->options.iterations, count, sizeof(count));
	snprintf(title, sizeof(title),
		 "IPC Mechanism Benchmark (%s messages, %s iterations)", size,
		 count);
	fprintf(to, "%s\n", title);
	for (size_t i = strlen(title); i > 0; i--)
		fputs("\u2550", to);
	putc('\n', to);
}

/* What a reader must know of a row before its figures are of use. */
static void add_remarks(struct out_table *table, const struct results_row *row,
			uint64_t iterations)
{
	const struct measure_result *f = &row->figures;
	char text[128] = "", count[CELL];
	size_t len = 0;

	if (f->is_unstable)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					", unstable");
	if (f->median.is_disturbed)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					", disturbed");
	if (row->spins)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					", spins");
	if (f->median.messages < iterations)
		snprintf(text + len, sizeof(text) - len, ", %s messages",
			 out_number((double)f->median.messages, count,
				    sizeof(count)));
	out_table_cell(table, "%s", *text ? text + 2 : "");
}

static void add_row(struct out_table *table, const struct results *results,
		    const struct results_row *row)
{
	const struct measure_result *f = &row->figures;
	const struct measure_trial *m = &f->median;
	const double durations[] = {m->rtt_mean, m->rtt_p99, m->rtt_p50,
				    m->rtt_p999, m->rtt_max, m->cpu_ns};
	char d[6][CELL], rate[CELL], number[CELL], size[CELL];

	if (!results_row_is_good(row)) {
		out_table_note(table, "%s (%s): %s", row->title,
			       print_size(f->options.message_bytes, size,
					  sizeof(size)),
			       f->why);
		return;
	}
	for (size_t i = 0; i < 6; i++)
		out_duration(durations[i], d[i], sizeof(d[i]));
	out_table_row(table);
	out_table_cell(table, "%s", row->title);
	out_table_cell(table, "%s",
		       out_rate(m->bytes_per_s, rate, sizeof(rate)));
	out_table_cell(table, "%s", d[0]);
	out_table_cell(table, "%s", d[1]);
	out_table_cell(table, "%s",
		       out_number(m->messages_per_s, number, sizeof(number)));
	for (size_t i = 2; i < 6; i++)
		out_table_cell(table, "%s", d[i]);
	out_table_cell(table, "%.2f", m->switches);
	out_table_cell(table, "%.0f%%", 100 * f->spread_throughput);
	out_table_cell(table, "%.0f%%", 100 * f->spread_rtt);
	out_table_cell(table, "%s",
		       results_placement_word(f->options.placement));
	if (has_many_sizes(results))
		out_table_cell(table, "%s",
			       print_size(f->options.message_bytes, size,
					  sizeof(size)));
	add_remarks(table, row, f->options.iterations);
}

static int print_table(const struct results *results, FILE *to)
{
	static const struct out_column columns[] = {
		{"Mechanism", OUT_LEFT},      {"Throughput", OUT_RIGHT},
		{"Latency (avg)", OUT_RIGHT}, {"Latency (p99)", OUT_RIGHT},
		{"msg/s", OUT_RIGHT},         {"p50", OUT_RIGHT},
		{"p99.9", OUT_RIGHT},         {"max", OUT_RIGHT},
		{"CPU/msg", OUT_RIGHT},       {"switches/msg", OUT_RIGHT},
		{"spread", OUT_RIGHT},        {"p50 spread", OUT_RIGHT},
		{"CPUs", OUT_LEFT},           {"remarks", OUT_LEFT},
	};
	enum { N = sizeof(columns) / sizeof(columns[0]) };
	struct out_column with_size[N + 1];
	const bool sizes = has_many_sizes(results);
	struct out_table *table;
	int r;

	memcpy(with_size, columns, sizeof(columns));
	with_size[N - 1] = (struct out_column){"size", OUT_RIGHT};
	with_size[N] = columns[N - 1];
	table = out_table_new(sizes ? with_size : columns, N + sizes);
	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < results->n; i++)
		add_row(table, results, &results->row[i]);
	r = out_table_print(table, to);
	out_table_free(table);
	return r;
}

static void print_legend(const struct results *results, FILE *to)
{
	const struct measure_options *o = &results->options;
	bool is_disturbed = false;
	uint64_t disturbed = 0;
	char text[CELL], least[CELL], most[CELL];

	for (size_t i = 0; i < results->n; i++) {
		const struct measure_result *f = &results->row[i].figures;

		is_disturbed |= f->median.is_disturbed;
		for (int t = 0; t < f->trials; t++)
			disturbed += f->trial[t].disturbed;
	}
	fprintf(to,
		"\nLatency is a whole round trip, there and back. Figures are "
		"medians of %d trials,\nspread is largest less smallest by "
		"median; CPU and switches are of both sides.\n",
		o->trials);
	if (disturbed)
		fprintf(to,
			"Thrown away and run again: %s samples that met steal "
			"time, involuntary\nswitches or a crowd.\n",
			out_number((double)disturbed, text, sizeof(text)));
	if (is_disturbed)
		fprintf(to, "Rows marked disturbed found no quiet time: others "
			    "used the CPUs.\n");
	if (results->line_rtt_ns > 0)
		fprintf(to,
			"Round trip of one cache line, CPU %d to %d: %s (%s to "
			"%s). No message can be faster.\n",
			o->cpus[0], o->cpus[1],
			out_duration(results->line_rtt_ns, text, sizeof(text)),
			out_duration(results->line_rtt_min_ns, least,
				     sizeof(least)),
			out_duration(results->line_rtt_max_ns, most,
				     sizeof(most)));
	putc('\n', to);
}

int print_results(const struct results *results, FILE *to)
{
	int r;

	if (results->n == 0)
		return 0;
	print_title(results, to);
	r = print_table(results, to);
	if (r < 0)
		return r;
	print_legend(results, to);
	print_verdict(results, to);
	return fflush(to) == EOF ? -errno : 0;
}
