#include "suite/html/page.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/cmd/out.h"
#include "p06-bench/cmd/print.h"
#include "suite/html/figures.h"
#include "suite/html/grid.h"
#include "suite/html/html.h"
#include "suite/html/rows.h"

static const char style[] =
#include "suite/html/report.css.h" /* made of report.css */
	;

static const char *placement_title(enum measure_placement placement)
{
	switch (placement) {
	case MEASURE_TWO_CPUS:
		return "The two sides on two CPUs";
	case MEASURE_ONE_CPU:
		return "Both sides on one CPU";
	default:
		return "Wherever the scheduler puts the two sides";
	}
}

/* ---- the head of the page ---------------------------------------------------- */

static void put_date(int64_t created, FILE *to)
{
	time_t when = (time_t)created;
	char text[64];
	struct tm tm;

	if (gmtime_r(&when, &tm) &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &tm))
		html_text(to, text);
	else
		fputs("unknown", to);
}

static void put_fact(const char *term, const char *text, FILE *to)
{
	fprintf(to, "<div><dt>%s</dt><dd>", term);
	html_text(to, text);
	fputs("</dd></div>\n", to);
}

static void put_facts(const struct results *results, FILE *to)
{
	const struct measure_options *options = &results->options;
	char text[160], count[32];

	fputs("<dl class=\"facts\">\n", to);
	put_fact("Processor", results->machine.cpu, to);
	snprintf(text, sizeof(text), "%d", results->machine.cpus);
	put_fact("CPUs", text, to);
	put_fact("Kernel", results->machine.kernel, to);
	fputs("<div><dt>Measured</dt><dd>", to);
	put_date(results->created, to);
	fputs("</dd></div>\n", to);
	snprintf(text, sizeof(text), "%d trial%s of up to %s messages",
		 options->trials, options->trials == 1 ? "" : "s",
		 print_count(options->iterations, count, sizeof(count)));
	put_fact("Each figure", text, to);
	if (results->line_rtt_ns > 0) {
		fputs("<div><dt>One cache line, there and back</dt><dd>", to);
		rows_put_time(results->line_rtt_ns, to);
		fputs(" <span class=\"faint\">(", to);
		rows_put_time(results->line_rtt_min_ns, to);
		fputs(" to ", to);
		rows_put_time(results->line_rtt_max_ns, to);
		fputs("): the physical limit</span></dd></div>\n", to);
	}
	fputs("</dl>\n", to);
}

static void put_head(const struct results *results, FILE *to)
{
	fputs("<!DOCTYPE html>\n"
	      "<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n"
	      "<head>\n<meta charset=\"utf-8\"/>\n"
	      "<meta name=\"viewport\" content=\"width=device-width, "
	      "initial-scale=1\"/>\n"
	      "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
	      "<title>Unix IPC, measured</title>\n<style>\n",
	      to);
	fputs(style, to);
	fputs("</style>\n</head>\n<body>\n<header>\n"
	      "<h1>Unix IPC, measured</h1>\n"
	      "<p>What it costs to hand a message from one process to another, "
	      "by every mechanism that Unix has for it. Every message was read "
	      "in full and verified by its receiver.</p>\n",
	      to);
	put_facts(results, to);
	fputs("</header>\n<main>\n", to);
}

/* ---- at a glance --------------------------------------------------------------- */

/* Larger is better. */
static double by_throughput(const struct measure_trial *median)
{
	return median->bytes_per_s;
}

static double by_round_trip(const struct measure_trial *median)
{
	return -median->rtt_p50;
}

static double by_cpu(const struct measure_trial *median)
{
	return -median->cpu_ns;
}

static const struct results_row *find_best(
	const struct grid *grid, size_t placement, size_t size,
	double (*figure)(const struct measure_trial *median))
{
	const struct results_row *best = NULL;

	for (size_t m = 0; m < grid->n_mechanisms; m++) {
		const struct results_row *row =
			grid_good(grid, placement, size, m);

		if (row && (!best || figure(&row->figures.median) >
					     figure(&best->figures.median)))
			best = row;
	}
	return best;
}

static void put_winner(const struct results_row *row, double bytes_per_s,
		       double ns, FILE *to)
{
	char text[32];

	fputs("<td class=\"text\">", to);
	if (row) {
		html_text(to, row->title);
		fputs(" <span class=\"faint\">", to);
		if (bytes_per_s > 0)
			html_text(to,
				  out_rate(bytes_per_s, text, sizeof(text)));
		else
			rows_put_time(ns, to);
		fputs("</span>", to);
	}
	fputs("</td>", to);
}

static void put_glance(const struct grid *grid, size_t placement, FILE *to)
{
	char text[32];

	fputs("<div class=\"scroll\" role=\"region\" tabindex=\"0\" "
	      "aria-label=\"At a glance\">\n<table>\n"
	      "<caption>At a glance</caption>\n<thead>\n<tr>"
	      "<th class=\"name\" scope=\"col\">Message</th>"
	      "<th class=\"text\" scope=\"col\">Highest throughput</th>"
	      "<th class=\"text\" scope=\"col\">Shortest round trip (p50)</th>"
	      "<th class=\"text\" scope=\"col\">Least CPU per message</th>"
	      "</tr>\n</thead>\n<tbody>\n",
	      to);
	for (size_t s = 0; s < grid->n_sizes; s++) {
		const struct results_row *row;

		fprintf(to, "<tr><th class=\"name\" scope=\"row\">%s</th>",
			print_size(grid->size[s], text, sizeof(text)));
		row = find_best(grid, placement, s, by_throughput);
		put_winner(row, row ? row->figures.median.bytes_per_s : 0, 0,
			   to);
		row = find_best(grid, placement, s, by_round_trip);
		put_winner(row, 0, row ? row->figures.median.rtt_p50 : 0, to);
		row = find_best(grid, placement, s, by_cpu);
		put_winner(row, 0, row ? row->figures.median.cpu_ns : 0, to);
		fputs("</tr>\n", to);
	}
	fputs("</tbody>\n</table>\n</div>\n", to);
}

/* ---- placements, sizes, the end --------------------------------------------------- */

static const char *describe_plot_error(int error)
{
	switch (error) {
	case -ENOENT:
		return "gnuplot is not installed (apt-get install gnuplot-nox)";
	case -ETIMEDOUT:
		return "gnuplot did not finish in time";
	case -EBADMSG:
		return "gnuplot failed";
	case -ENODATA:
		return "no mechanism has figures";
	default:
		return strerrordesc_np(-error);
	}
}

static int put_tables(const struct grid *grid, size_t placement, FILE *to)
{
	for (size_t s = 0; s < grid->n_sizes; s++) {
		char size[32], caption[64];
		struct results slice;
		int error = grid_slice(grid, placement, s, &slice);

		if (error)
			return error;
		print_size(grid->size[s], size, sizeof(size));
		if (slice.n > 0) {
			fprintf(to, "<h3>Messages of %s</h3>\n", size);
			snprintf(caption, sizeof(caption),
				 "%s messages: every mechanism", size);
			rows_write(&slice, caption, to);
		}
		free(slice.row);
	}
	return 0;
}

static int put_placement(const struct grid *grid, size_t placement,
			 const char **no_plots, FILE *to)
{
	int error;

	fprintf(to, "<section>\n<h2>%s</h2>\n",
		placement_title(grid->placement[placement]));
	put_glance(grid, placement, to);
	fputs("<h3>Against message size</h3>\n", to);
	error = figures_write(grid, placement, to);
	if (error) {
		*no_plots = describe_plot_error(error);
		fputs("<p class=\"faint\">No plots: ", to);
		html_text(to, *no_plots);
		fputs(". The tables have all the figures.</p>\n", to);
	}
	error = put_tables(grid, placement, to);
	fputs("</section>\n", to);
	return error;
}

static void put_syncs(const struct syncs *syncs, FILE *to)
{
	fputs("<section>\n<h2>Synchronisation</h2>\n"
	      "<p>One operation is to enter and to leave, of a barrier one "
	      "round. <b>Two at once</b> contend with nothing else to do, which "
	      "is the worst case; the <b>lesser share</b> is what the process "
	      "that got less had of all operations.</p>\n",
	      to);
	rows_write_syncs(syncs, &syncs_kind_sync, to);
	fputs("</section>\n", to);
}

static void put_stores(const struct syncs *stores, FILE *to)
{
	fputs("<section>\n<h2>Storage</h2>\n"
	      "<p>One operation is one get, or one set in a commit of its own, "
	      "of a record of 16 + 100 bytes among 10000 at random. What is "
	      "<b>durable</b> survives a power cut; all survives a killed "
	      "process. <b>Two at once</b> share the file.</p>\n",
	      to);
	rows_write_syncs(stores, &syncs_kind_storage, to);
	fputs("</section>\n", to);
}

static const char notes[] =
	"<section>\n<h2>How to read it</h2>\n"
	"<p><b>Streaming</b> sends in one direction without waiting; the clock "
	"stops when the receiver has said that it verified the last message. "
	"A <b>round trip</b> is a message there and one back, one at a time: "
	"the whole of it, not half. Percentiles are over all round trips of a "
	"trial.</p>\n"
	"<p><b>CPU</b> is the time that both processes together spent, and "
	"<b>switches</b> are their context switches, for each message or round "
	"trip. A row that <span class=\"mark calm\">spins</span> is fast "
	"because a waiting side burns a processor.</p>\n"
	"<p>Every figure is the median of the trials; <b>spread</b> is the "
	"distance between the best and the worst of them. Over 10&#160;% the "
	"row is <span class=\"mark\">unstable</span>: run it again before you "
	"believe it. <span class=\"mark\">disturbed</span> means that other "
	"work on the machine could not be kept out of the figures.</p>\n"
	"</section>\n";

int page_write(const struct outcome *outcome, const char **no_plots, FILE *to)
{
	const struct results *results = &outcome->results;
	struct grid grid;
	int error;

	*no_plots = NULL;
	error = grid_make(&grid, results);
	if (error)
		return error;
	put_head(results, to);
	if (results->n == 0)
		fputs("<p>This run has no rows.</p>\n", to);
	for (size_t p = 0; p < grid.n_placements && !error; p++)
		error = put_placement(&grid, p, no_plots, to);
	if (outcome->syncs.n > 0)
		put_syncs(&outcome->syncs, to);
	if (outcome->stores.n > 0)
		put_stores(&outcome->stores, to);
	fputs(notes, to);
	fputs("</main>\n<footer class=\"faint\"><p>Made by <code>ipc_suite "
	      "report</code> from the results of <code>ipc_suite "
	      "benchmark</code>.</p></footer>\n</body>\n</html>\n",
	      to);
	return error;
}
