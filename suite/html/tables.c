#include "suite/html/tables.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cmd/out.h"
#include "p06-bench/cmd/print.h"
#include "suite/html/html.h"

/* What the bars and the bold figures are relative to. */
struct extremes {
	double most_bytes_per_s, least_rtt, most_rtt;
};

static struct extremes find_extremes(const struct results *slice)
{
	struct extremes x = {0};

	for (size_t i = 0; i < slice->n; i++) {
		const struct results_row *row = &slice->row[i];
		const struct measure_trial *median = &row->figures.median;

		if (!results_row_is_good(row))
			continue;
		if (median->bytes_per_s > x.most_bytes_per_s)
			x.most_bytes_per_s = median->bytes_per_s;
		if (x.least_rtt <= 0 || median->rtt_p50 < x.least_rtt)
			x.least_rtt = median->rtt_p50;
		if (median->rtt_p50 > x.most_rtt)
			x.most_rtt = median->rtt_p50;
	}
	return x;
}

void tables_put_time(double ns, FILE *to)
{
	char text[32];
	size_t len;

	out_duration(ns, text, sizeof(text));
	len = strlen(text);
	if (len > 3 && strcmp(text + len - 3, " us") == 0)
		fprintf(to, "%.*s µs", (int)(len - 3), text);
	else
		html_text(to, text);
}

static void put_bar_cell(double value, double most, bool is_best, FILE *to)
{
	fprintf(to, "<td class=\"bar%s\" style=\"--p:%.1f%%\">",
		is_best ? " best" : "", most > 0 ? 100 * value / most : 0);
}

static void put_time_cell(double ns, FILE *to)
{
	fputs("<td>", to);
	tables_put_time(ns, to);
	fputs("</td>", to);
}

static void put_figures(const struct measure_trial *median,
			const struct extremes *x, FILE *to)
{
	char text[32];

	put_bar_cell(median->bytes_per_s, x->most_bytes_per_s,
		     median->bytes_per_s >= x->most_bytes_per_s, to);
	html_text(to, out_rate(median->bytes_per_s, text, sizeof(text)));
	fputs("</td><td>", to);
	html_text(to, out_number(median->messages_per_s, text, sizeof(text)));
	fputs("</td>", to);
	put_time_cell(median->cpu_ns, to);
	fprintf(to, "<td>%.2f</td>", median->switches);
	put_time_cell(median->rtt_mean, to);
	put_bar_cell(median->rtt_p50, x->most_rtt,
		     median->rtt_p50 <= x->least_rtt, to);
	tables_put_time(median->rtt_p50, to);
	fputs("</td>", to);
	put_time_cell(median->rtt_p99, to);
	put_time_cell(median->rtt_p999, to);
	put_time_cell(median->rtt_max, to);
	put_time_cell(median->rtt_cpu_ns, to);
	fprintf(to, "<td>%.2f</td>", median->rtt_switches);
}

static void put_marks(const struct results_row *row, FILE *to)
{
	const struct measure_result *figures = &row->figures;

	fprintf(to, "<td class=\"text\">%.0f&#160;%% / %.0f&#160;%%",
		100 * figures->spread_throughput, 100 * figures->spread_rtt);
	if (figures->is_unstable)
		fputs("<span class=\"mark\">unstable</span>", to);
	for (int t = 0; t < figures->trials; t++)
		if (figures->trial[t].is_disturbed) {
			fputs("<span class=\"mark\">disturbed</span>", to);
			break;
		}
	fputs("</td>", to);
}

static void put_row(const struct results_row *row, const struct extremes *x,
		    FILE *to)
{
	fputs("<tr><th class=\"name\" scope=\"row\">", to);
	html_text(to, row->title);
	if (row->spins)
		fputs("<span class=\"mark calm\">spins</span>", to);
	fputs("</th>", to);
	if (results_row_is_good(row)) {
		put_figures(&row->figures.median, x, to);
		put_marks(row, to);
	} else {
		fputs("<td class=\"why\" colspan=\"12\">", to);
		html_text(to, row->figures.why);
		fputs("</td>", to);
	}
	fputs("</tr>\n", to);
}

/* A table in a box of its own, up to and with its caption. */
static void open_table(const char *caption, FILE *to)
{
	fputs("<div class=\"scroll\" role=\"region\" tabindex=\"0\" "
	      "aria-label=\"",
	      to);
	html_text(to, caption);
	fputs("\">\n<table>\n<caption>", to);
	html_text(to, caption);
	fputs("</caption>\n", to);
}

static void put_slice(const struct results *slice, const char *caption,
		      FILE *to)
{
	struct extremes x = find_extremes(slice);

	open_table(caption, to);
	fputs("<thead>\n"
	      "<tr><th class=\"name\" rowspan=\"2\" scope=\"col\">Mechanism</th>"
	      "<th class=\"group\" colspan=\"4\" scope=\"colgroup\">"
	      "Streaming, one way</th>"
	      "<th class=\"group\" colspan=\"7\" scope=\"colgroup\">"
	      "Round trip, there and back</th>"
	      "<th class=\"group\" rowspan=\"2\" scope=\"col\">Spread of "
	      "trials<br/>(stream / trip)</th></tr>\n"
	      "<tr><th scope=\"col\">bytes/s</th>"
	      "<th scope=\"col\">messages/s</th>"
	      "<th scope=\"col\">CPU/msg</th>"
	      "<th scope=\"col\">switches</th>"
	      "<th scope=\"col\">average</th><th scope=\"col\">p50</th>"
	      "<th scope=\"col\">p99</th><th scope=\"col\">p99.9</th>"
	      "<th scope=\"col\">max</th>"
	      "<th scope=\"col\">CPU/trip</th>"
	      "<th scope=\"col\">switches</th></tr>\n"
	      "</thead>\n<tbody>\n",
	      to);
	for (size_t i = 0; i < slice->n; i++)
		put_row(&slice->row[i], &x, to);
	fputs("</tbody>\n</table>\n</div>\n", to);
}

int tables_write_sizes(const struct pivot *pivot, size_t placement, FILE *to)
{
	for (size_t s = 0; s < pivot->n_sizes; s++) {
		char size[32], caption[64];
		struct results slice;
		int error = pivot_slice(pivot, placement, s, &slice);

		if (error)
			return error;
		print_size(pivot->size[s], size, sizeof(size));
		if (slice.n > 0) {
			fprintf(to, "<h3>Messages of %s</h3>\n", size);
			snprintf(caption, sizeof(caption),
				 "%s messages: every mechanism", size);
			put_slice(&slice, caption, to);
		}
		free(slice.row);
	}
	return 0;
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
	const struct pivot *pivot, size_t placement, size_t size,
	double (*figure)(const struct measure_trial *median))
{
	const struct results_row *best = NULL;

	for (size_t m = 0; m < pivot->n_mechanisms; m++) {
		const struct results_row *row =
			pivot_good(pivot, placement, size, m);

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
			tables_put_time(ns, to);
		fputs("</span>", to);
	}
	fputs("</td>", to);
}

void tables_write_glance(const struct pivot *pivot, size_t placement, FILE *to)
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
	for (size_t s = 0; s < pivot->n_sizes; s++) {
		const struct results_row *row;

		fprintf(to, "<tr><th class=\"name\" scope=\"row\">%s</th>",
			print_size(pivot->size[s], text, sizeof(text)));
		row = find_best(pivot, placement, s, by_throughput);
		put_winner(row, row ? row->figures.median.bytes_per_s : 0, 0,
			   to);
		row = find_best(pivot, placement, s, by_round_trip);
		put_winner(row, 0, row ? row->figures.median.rtt_p50 : 0, to);
		row = find_best(pivot, placement, s, by_cpu);
		put_winner(row, 0, row ? row->figures.median.cpu_ns : 0, to);
		fputs("</tr>\n", to);
	}
	fputs("</tbody>\n</table>\n</div>\n", to);
}

/* ---- synchronisation, storage -------------------------------------------------------------- */

static void put_sync_figure(const struct syncs_figure *figure, double most,
			    FILE *to)
{
	char text[32];

	put_bar_cell(figure->ops_per_s, most, figure->ops_per_s >= most, to);
	html_text(to, out_number(figure->ops_per_s, text, sizeof(text)));
	fputs("</td>", to);
	put_time_cell(figure->cpu_ns, to);
	fprintf(to, "<td>%.0f&#160;%%</td>", 100 * figure->spread);
}

static void put_sync(const struct syncs_row *row, double most_alone,
		     double most_contended, FILE *to)
{
	fputs("<tr><th class=\"name\" scope=\"row\">", to);
	html_text(to, row->title);
	fputs("</th>", to);
	if (row->error) {
		fputs("<td class=\"why\" colspan=\"7\">", to);
		html_text(to, row->why);
		fputs("</td></tr>\n", to);
		return;
	}
	put_sync_figure(&row->alone, most_alone, to);
	put_sync_figure(&row->contended, most_contended, to);
	if (row->meets)
		fputs("<td></td></tr>\n", to);
	else
		fprintf(to, "<td>%.0f&#160;%%</td></tr>\n",
			100 * row->contended.share);
}

void tables_write_syncs(const struct syncs *syncs,
			const struct syncs_kind *kind, FILE *to)
{
	double alone = 0, contended = 0;
	char caption[64];

	for (size_t i = 0; i < syncs->n; i++) {
		const struct syncs_row *row = &syncs->row[i];

		if (row->alone.ops_per_s > alone)
			alone = row->alone.ops_per_s;
		if (row->contended.ops_per_s > contended)
			contended = row->contended.ops_per_s;
	}
	snprintf(caption, sizeof(caption), "%s: operations a second",
		 kind->title);
	open_table(caption, to);
	fprintf(to,
		"<thead>\n<tr><th class=\"name\" rowspan=\"2\" "
		"scope=\"col\">%s</th>",
		kind->first);
	fputs("<th class=\"group\" colspan=\"3\" scope=\"colgroup\">One "
	      "process alone</th>"
	      "<th class=\"group\" colspan=\"4\" scope=\"colgroup\">Two at "
	      "once</th></tr>\n<tr>",
	      to);
	for (int i = 0; i < 2; i++)
		fputs("<th scope=\"col\">operations/s</th>"
		      "<th scope=\"col\">CPU/op</th>"
		      "<th scope=\"col\">spread</th>",
		      to);
	fputs("<th scope=\"col\">lesser share</th></tr>\n</thead>\n<tbody>\n",
	      to);
	for (size_t i = 0; i < syncs->n; i++)
		put_sync(&syncs->row[i], alone, contended, to);
	fputs("</tbody>\n</table>\n</div>\n", to);
}
