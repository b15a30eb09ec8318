#include "lib/measure/results.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void results_init(struct results *results,
		  const struct measure_options *options)
{
	*results = (struct results){.created = (int64_t)time(NULL),
				    .options = *options};
	machine_read(&results->machine);
}

void results_free(struct results *results)
{
	for (size_t i = 0; i < results->n; i++)
		measure_free(&results->row[i].figures);
	free(results->row);
	*results = (struct results){0};
}

static void copy_text(char *to, size_t size, const char *from)
{
	size_t len = strnlen(from, size - 1);

	memcpy(to, from, len);
	to[len] = '\0';
}

int results_add(struct results *results, struct measure_result *figures)
{
	const struct mechanism *m = figures->mechanism;
	struct results_row *grown, *row;

	grown = reallocarray(results->row, results->n + 1, sizeof(*grown));
	if (!grown) {
		measure_free(figures);
		return -ENOMEM;
	}
	results->row = grown;
	row = &grown[results->n++];
	*row = (struct results_row){
		.spins = m->spins, .cost = m->cost, .figures = *figures};
	copy_text(row->name, sizeof(row->name), m->name);
	copy_text(row->title, sizeof(row->title), m->title);
	*figures = (struct measure_result){0};
	return 0;
}

const struct results_row *results_find(const struct results *results,
				       const char *name, size_t message_bytes,
				       enum measure_placement placement)
{
	for (size_t i = 0; i < results->n; i++) {
		const struct results_row *row = &results->row[i];
		const struct measure_options *o = &row->figures.options;

		if (o->message_bytes == message_bytes &&
		    o->placement == placement && strcmp(row->name, name) == 0)
			return row;
	}
	return NULL;
}

bool results_row_is_good(const struct results_row *row)
{
	return row->figures.error == 0 && row->figures.trials > 0;
}

const char *results_placement_word(enum measure_placement placement)
{
	static const char *const words[] = {[MEASURE_TWO_CPUS] = "two",
					    [MEASURE_ONE_CPU] = "one",
					    [MEASURE_UNPINNED] = "unpinned"};

	return words[placement];
}

/* A change beyond what both runs moved by themselves is worth a mark. */
static struct results_change change_of(double before, double before_spread,
				       double now, double now_spread)
{
	struct results_change change = {.before = before, .now = now};
	double moved;

	if (before <= 0 || now <= 0)
		return change;
	change.ratio = now / before;
	moved = change.ratio > 1 ? change.ratio - 1 : 1 / change.ratio - 1;
	change.is_marked = moved > before_spread + now_spread;
	return change;
}

void results_compare(const struct results_row *row,
		     const struct results *earlier,
		     struct results_comparison *comparison)
{
	const struct measure_result *now = &row->figures, *before;

	*comparison = (struct results_comparison){
		.row = row,
		.earlier = results_find(earlier, row->name,
					now->options.message_bytes,
					now->options.placement)};
	if (!comparison->earlier || !results_row_is_good(row) ||
	    !results_row_is_good(comparison->earlier))
		return;
	before = &comparison->earlier->figures;
	comparison->throughput =
		change_of(before->median.bytes_per_s, before->spread_throughput,
			  now->median.bytes_per_s, now->spread_throughput);
	comparison->rtt_p50 =
		change_of(before->median.rtt_p50, before->spread_rtt,
			  now->median.rtt_p50, now->spread_rtt);
}
