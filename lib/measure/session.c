#include "lib/measure/session.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/stats.h"

/* A session under way: the rows in order, and the probes of the line. */
struct session {
	const struct session_plan *plan;
	struct measure_result *row;
	size_t n;
	double line_ns[MEASURE_TRIALS_MAX];
	size_t n_lines;
	uint64_t done, total; /* trials */
};

static size_t count_mechanisms(const struct session_plan *plan)
{
	size_t n = 0;

	while (plan->mechanisms[n])
		n++;
	return n;
}

static int begin_rows(struct session *s)
{
	const struct session_plan *plan = s->plan;
	const size_t mechanisms = count_mechanisms(plan);
	const size_t n = mechanisms * plan->n_sizes * plan->n_placements;

	if (n == 0 || n > RESULTS_ROWS_MAX)
		return -EINVAL;
	s->row = calloc(n, sizeof(*s->row));
	if (!s->row)
		return -ENOMEM;
	s->total = n * (uint64_t)plan->options.trials;
	for (s->n = 0; s->n < n; s->n++) {
		struct measure_options options = plan->options;
		const size_t group = s->n / mechanisms;

		options.message_bytes = plan->sizes[group % plan->n_sizes];
		options.placement = plan->placements[group / plan->n_sizes];
		int r = measure_begin(plan->mechanisms[s->n % mechanisms],
				      &options, &s->row[s->n]);
		if (r < 0) {
			measure_free(&s->row[s->n]);
			return r;
		}
	}
	return 0;
}

static void tell(const struct session *s, const struct measure_result *row)
{
	const struct session_plan *plan = s->plan;
	char what[96];

	if (!plan->progress)
		return;
	snprintf(what, sizeof(what), "%s, %zu bytes, %s", row->mechanism->name,
		 row->options.message_bytes,
		 results_placement_word(row->options.placement));
	plan->progress(plan->arg, s->done, s->total, what);
}

/* Where only one CPU takes part there is no line to probe, and that there is
 * but one is no reason to stop. */
static void probe_line(struct session *s)
{
	const struct session_plan *plan = s->plan;
	bool has_two = false;
	double ns;

	for (size_t i = 0; i < plan->n_placements; i++)
		has_two |= plan->placements[i] != MEASURE_ONE_CPU;
	if (has_two && measure_line_rtt(&s->plan->options, &ns) == 0)
		s->line_ns[s->n_lines++] = ns;
}

/* A trial of every row. */
static int run_round(struct session *s)
{
	probe_line(s);
	for (size_t i = 0; i < s->n; i++) {
		tell(s, &s->row[i]);
		int r = measure_round(&s->row[i]);
		if (r < 0)
			return r;
		s->done++;
	}
	return 0;
}

static int keep(struct session *s, struct results *results)
{
	results_init(results, &s->plan->options);
	for (size_t i = 0; i < s->n_lines; i++) {
		const double ns = s->line_ns[i];

		if (i == 0 || ns < results->line_rtt_min_ns)
			results->line_rtt_min_ns = ns;
		if (ns > results->line_rtt_max_ns)
			results->line_rtt_max_ns = ns;
	}
	results->line_rtt_ns = stats_median(s->line_ns, s->n_lines);
	for (size_t i = 0; i < s->n; i++) {
		measure_end(&s->row[i]);
		int r = results_add(results, &s->row[i]);
		if (r < 0) {
			results_free(results);
			return r;
		}
	}
	return 0;
}

int session_run(const struct session_plan *plan, struct results *results)
{
	struct session session = {.plan = plan};
	int r = begin_rows(&session);

	for (int i = 0; r == 0 && i < plan->options.trials; i++)
		r = run_round(&session);
	if (r == 0)
		r = keep(&session, results);
	for (size_t i = 0; i < session.n; i++)
		measure_free(&session.row[i]);
	free(session.row);
	return r;
}
