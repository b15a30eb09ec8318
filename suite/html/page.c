#include "suite/html/page.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/tick.h"
#include "p06-bench/cmd/print.h"
#include "suite/pivot.h"
#include "suite/html/html.h"
#include "suite/html/plot.h"
#include "suite/html/tables.h"

#define GNUPLOT_TIME (20 * TICK_S)

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
		tables_put_time(results->line_rtt_ns, to);
		fputs(" <span class=\"faint\">(", to);
		tables_put_time(results->line_rtt_min_ns, to);
		fputs(" to ", to);
		tables_put_time(results->line_rtt_max_ns, to);
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

/* ---- plots --------------------------------------------------------------------- */

/* What is drawn: the mechanisms that have figures here. y is one array of
 * [curve][size]. */
struct figure {
	struct plot plot;
	char id[32]; /* the plot's */
	struct plot_curve *curve;
	double *y;
};

static double value_of(const struct results_row *row, enum plot_unit unit)
{
	const struct measure_trial *median = &row->figures.median;

	return unit == PLOT_SECONDS ? median->rtt_p50 / 1e9
				    : median->bytes_per_s;
}

static int make_figure(struct figure *figure, const struct pivot *pivot,
		       size_t placement, enum plot_unit unit)
{
	size_t n = 0;

	figure->curve = calloc(pivot->n_mechanisms + 1, sizeof(*figure->curve));
	figure->y = calloc(pivot->n_mechanisms * pivot->n_sizes + 1,
			   sizeof(*figure->y));
	if (!figure->curve || !figure->y)
		return -ENOMEM;
	for (size_t m = 0; m < pivot->n_mechanisms; m++) {
		double *y = &figure->y[n * pivot->n_sizes];
		bool has_points = false;

		for (size_t s = 0; s < pivot->n_sizes; s++) {
			const struct results_row *row =
				pivot_good(pivot, placement, s, m);

			y[s] = row ? value_of(row, unit) : 0;
			has_points |= y[s] > 0;
		}
		if (has_points)
			figure->curve[n++] = (struct plot_curve){
				.title = pivot_title(pivot, m), .y = y};
	}
	figure->plot = (struct plot){.unit = unit,
				     .sizes = pivot->size,
				     .n_sizes = pivot->n_sizes,
				     .curves = figure->curve,
				     .n_curves = n};
	return n > 0 ? 0 : -ENODATA;
}

static int draw(const struct pivot *pivot, size_t placement,
		enum plot_unit unit, struct figure *figure, char **svg)
{
	bool is_latency = unit == PLOT_SECONDS;
	int error;

	error = make_figure(figure, pivot, placement, unit);
	if (error)
		return error;
	/* Unique in the page: there is a pair of figures a placement. */
	snprintf(figure->id, sizeof(figure->id), "%s%c",
		 is_latency ? "latency" : "throughput",
		 (char)('a' + placement));
	figure->plot.id = figure->id;
	figure->plot.label = is_latency ? "Round trip against message size"
					: "Throughput against message size";
	return plot_draw(&figure->plot, tick_after(GNUPLOT_TIME), svg);
}

static void free_figure(struct figure *figure)
{
	free(figure->curve);
	free(figure->y);
}

static void write_key(const struct plot *plot, FILE *to)
{
	fputs("<ul class=\"key\">\n", to);
	for (size_t i = 0; i < plot->n_curves; i++) {
		fprintf(to, "<li class=\"s%zu\" data-marker=\"%s\">",
			plot_colour(i), plot_marker(i));
		html_text(to, plot->curves[i].title);
		fputs("</li>\n", to);
	}
	fputs("</ul>\n", to);
}

static void write_figure(const char *title, const char *what, const char *svg,
			 FILE *to)
{
	fprintf(to,
		"<figure>\n<figcaption><b>%s</b> <span class=\"faint\">%s"
		"</span></figcaption>\n%s\n</figure>\n",
		title, what, svg);
}

static int put_plots(const struct pivot *pivot, size_t placement, FILE *to)
{
	struct figure throughput = {.y = NULL}, latency = {.y = NULL};
	char *throughput_svg = NULL, *latency_svg = NULL;
	int error;

	error = draw(pivot, placement, PLOT_BYTES_PER_SECOND, &throughput,
		     &throughput_svg);
	if (!error)
		error = draw(pivot, placement, PLOT_SECONDS, &latency,
			     &latency_svg);
	if (!error) {
		fputs("<div class=\"plots\">\n", to);
		write_key(&throughput.plot, to);
		fputs("<div class=\"figures\">\n", to);
		write_figure("Throughput, one way",
			     "bytes per second against message size; higher "
			     "is better",
			     throughput_svg, to);
		write_figure("Round trip, there and back",
			     "median (p50) against message size; lower is "
			     "better",
			     latency_svg, to);
		fputs("</div>\n</div>\n", to);
	}
	free_figure(&throughput);
	free_figure(&latency);
	free(throughput_svg);
	free(latency_svg);
	return error;
}

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

/* ---- placements, the end ---------------------------------------------------------- */

static int put_placement(const struct pivot *pivot, size_t placement,
			 const char **no_plots, FILE *to)
{
	int error;

	fprintf(to, "<section>\n<h2>%s</h2>\n",
		placement_title(pivot->placement[placement]));
	tables_write_glance(pivot, placement, to);
	fputs("<h3>Against message size</h3>\n", to);
	error = put_plots(pivot, placement, to);
	if (error) {
		*no_plots = describe_plot_error(error);
		fputs("<p class=\"faint\">No plots: ", to);
		html_text(to, *no_plots);
		fputs(". The tables have all the figures.</p>\n", to);
	}
	error = tables_write_sizes(pivot, placement, to);
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
	tables_write_syncs(syncs, &syncs_kind_sync, to);
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
	tables_write_syncs(stores, &syncs_kind_storage, to);
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
	struct pivot pivot;
	int error;

	*no_plots = NULL;
	error = pivot_make(&pivot, results);
	if (error)
		return error;
	put_head(results, to);
	if (results->n == 0)
		fputs("<p>This run has no rows.</p>\n", to);
	for (size_t p = 0; p < pivot.n_placements && !error; p++)
		error = put_placement(&pivot, p, no_plots, to);
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
