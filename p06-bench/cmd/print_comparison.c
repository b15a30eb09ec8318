#include "p06-bench/cmd/print.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/cmd/out.h"

#define CELL 32

/* Before, now and the ratio, of a rate or a duration. */
static void add_change(struct out_table *table,
		       const struct results_change *change,
		       const char *(*format)(double, char *, size_t))
{
	char before[CELL], now[CELL];

	out_table_cell(table, "%s",
		       format(change->before, before, sizeof(before)));
	out_table_cell(table, "%s", format(change->now, now, sizeof(now)));
	out_table_cell(table, "%.2fx%s", change->ratio,
		       change->is_marked ? " *" : "");
}

static void add_row(struct out_table *table, const struct results_row *row,
		    const struct results *earlier)
{
	struct results_comparison c;
	char size[CELL];

	results_compare(row, earlier, &c);
	out_table_row(table);
	out_table_cell(table, "%s", row->title);
	out_table_cell(table, "%s",
		       print_size(row->figures.options.message_bytes, size,
				  sizeof(size)));
	out_table_cell(table, "%s",
		       results_placement_word(row->figures.options.placement));
	if (!c.earlier) {
		out_table_cell(table, "not in the earlier run");
		return;
	}
	if (c.throughput.ratio <= 0 || c.rtt_p50.ratio <= 0) {
		out_table_cell(table, "no figures");
		return;
	}
	add_change(table, &c.throughput, out_rate);
	add_change(table, &c.rtt_p50, out_duration);
}

static void print_differences(const struct results *now,
			      const struct results *earlier, FILE *to)
{
	const struct machine *a = &earlier->machine, *b = &now->machine;

	if (strcmp(a->cpu, b->cpu) != 0 || a->cpus != b->cpus)
		fprintf(to, "Another machine then: %s, %d CPUs\n", a->cpu,
			a->cpus);
	if (strcmp(a->kernel, b->kernel) != 0)
		fprintf(to, "Another kernel then: %s\n", a->kernel);
	if (earlier->options.iterations != now->options.iterations)
		fprintf(to, "Another number of iterations then: %llu\n",
			(unsigned long long)earlier->options.iterations);
}

int print_comparison(const struct results *now, const struct results *earlier,
		     FILE *to)
{
	static const struct out_column columns[] = {
		{"Mechanism", OUT_LEFT},
		{"Size", OUT_RIGHT},
		{"CPUs", OUT_LEFT},
		{"Throughput then", OUT_RIGHT},
		{"now", OUT_RIGHT},
		{"ratio", OUT_LEFT},
		{"Latency (p50) then", OUT_RIGHT},
		{"now", OUT_RIGHT},
		{"ratio", OUT_LEFT},
	};
	struct out_table *table =
		out_table_new(columns, sizeof(columns) / sizeof(columns[0]));
	int r;

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < now->n; i++)
		add_row(table, &now->row[i], earlier);
	r = out_table_print(table, to);
	out_table_free(table);
	if (r < 0)
		return r;
	fputs("* beyond the spreads of both runs\n", to);
	print_differences(now, earlier, to);
	return fflush(to) == EOF ? -errno : 0;
}
