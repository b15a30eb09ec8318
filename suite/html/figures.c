#include "suite/html/figures.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/tick.h"
#include "suite/html/html.h"
#include "suite/html/plot.h"

#define GNUPLOT_TIME (20 * TICK_S)

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

static int make_figure(struct figure *figure, const struct grid *grid,
		       size_t placement, enum plot_unit unit)
{
	size_t n = 0;

	figure->curve = calloc(grid->n_mechanisms + 1, sizeof(*figure->curve));
	figure->y = calloc(grid->n_mechanisms * grid->n_sizes + 1,
			   sizeof(*figure->y));
	if (!figure->curve || !figure->y)
		return -ENOMEM;
	for (size_t m = 0; m < grid->n_mechanisms; m++) {
		double *y = &figure->y[n * grid->n_sizes];
		bool has_points = false;

		for (size_t s = 0; s < grid->n_sizes; s++) {
			const struct results_row *row =
				grid_good(grid, placement, s, m);

			y[s] = row ? value_of(row, unit) : 0;
			has_points |= y[s] > 0;
		}
		if (has_points)
			figure->curve[n++] = (struct plot_curve){
				.title = grid_title(grid, m), .y = y};
	}
	figure->plot = (struct plot){.unit = unit,
				     .sizes = grid->size,
				     .n_sizes = grid->n_sizes,
				     .curves = figure->curve,
				     .n_curves = n};
	return n > 0 ? 0 : -ENODATA;
}

static int draw(const struct grid *grid, size_t placement, enum plot_unit unit,
		struct figure *figure, char **svg)
{
	bool is_latency = unit == PLOT_SECONDS;
	int error;

	error = make_figure(figure, grid, placement, unit);
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

int figures_write(const struct grid *grid, size_t placement, FILE *to)
{
	struct figure throughput = {.y = NULL}, latency = {.y = NULL};
	char *throughput_svg = NULL, *latency_svg = NULL;
	int error;

	error = draw(grid, placement, PLOT_BYTES_PER_SECOND, &throughput,
		     &throughput_svg);
	if (!error)
		error = draw(grid, placement, PLOT_SECONDS, &latency,
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
