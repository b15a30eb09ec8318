/* The script and the drawing are kept in memory files, so that neither side
 * can block on the other. What comes back is adapted to the inside of a page:
 * ids are made unique, titles are the curves'. */
#include "suite/html/plot.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "p06-bench/cmd/print.h"
#include "suite/html/html.h"

#define SVG_MAX (16 << 20)
#define CURVE_GROUP "<g id=\"gnuplot_plot_"

/* Gnuplot's point types and the characters that look like them. */
static const struct marker {
	int type;
	const char *character;
} markers[] = {
	{7, "●"}, {5, "■"}, {9, "▲"}, {13, "◆"}, {11, "▼"},
	{6, "○"}, {4, "□"}, {8, "△"}, {12, "◇"}, {10, "▽"},
};

enum { MARKERS = sizeof(markers) / sizeof(markers[0]) };

const char *plot_marker(size_t i)
{
	return markers[i % MARKERS].character;
}

size_t plot_colour(size_t i)
{
	return i % PLOT_COLOURS + 1;
}

/* ---- the script ----------------------------------------------------------- */

/* What lies between the smallest and the largest point, and a little more;
 * gnuplot by itself would go on to whole powers of ten. */
static void write_range(const struct plot *plot, FILE *to)
{
	static const double steps[] = {1, 2, 5};
	double low = 0, high = 0;
	const char *comma = "";
	bool is_wide;

	for (size_t i = 0; i < plot->n_curves; i++) {
		for (size_t k = 0; k < plot->n_sizes; k++) {
			double y = plot->curves[i].y[k];

			if (y > 0 && (low <= 0 || y < low))
				low = y;
			if (y > high)
				high = y;
		}
	}
	if (low <= 0)
		return;
	low /= 1.3;
	high *= 1.3;
	fprintf(to, "set yrange [%.9g:%.9g]\nset ytics (", low, high);
	is_wide = high / low > 3000;
	for (int power = (int)floor(log10(low)); power <= log10(high);
	     power++) {
		for (size_t i = 0; i < (is_wide ? 1 : 3); i++) {
			double y = steps[i] * pow(10, power);

			if (y < low || y > high)
				continue;
			fprintf(to, "%s%.9g", comma, y);
			comma = ", ";
		}
	}
	fputs(")\n", to);
}

static void write_tics(const struct plot *plot, FILE *to)
{
	char size[32];

	fputs("set xtics (", to);
	for (size_t i = 0; i < plot->n_sizes; i++)
		fprintf(to, "%s'%s' %ju", i ? ", " : "",
			print_size(plot->sizes[i], size, sizeof(size)),
			(uintmax_t)plot->sizes[i]);
	fputs(")\n", to);
}

static void write_curve(const struct plot *plot, size_t i, FILE *to)
{
	fprintf(to, "$c%zu << E\n", i);
	for (size_t k = 0; k < plot->n_sizes; k++) {
		double y = plot->curves[i].y[k];

		if (y > 0)
			fprintf(to, "%ju %.9g\n", (uintmax_t)plot->sizes[k], y);
		else
			fprintf(to, "%ju NaN\n", (uintmax_t)plot->sizes[k]);
	}
	fputs("E\n", to);
}

static void write_script(const struct plot *plot, FILE *to)
{
	fputs("set terminal svg size 500,390 dynamic noenhanced "
	      "font 'sans-serif,14'\n"
	      "set encoding utf8\n"
	      "set logscale x 2\n"
	      "set logscale y 10\n"
	      "set grid x y\n"
	      "set border 3\n"
	      "set tics nomirror out scale 0.5\n"
	      "set micro\n"
	      "set mytics 1\n"
	      "set key off\n"
	      "set offsets graph 0.04, graph 0.04, 0, 0\n",
	      to);
	fprintf(to, "set format y '%%.0s %%c%s'\n",
		plot->unit == PLOT_SECONDS ? "s" : "B/s");
	write_range(plot, to);
	write_tics(plot, to);
	for (size_t i = 0; i < plot->n_curves; i++)
		write_curve(plot, i, to);
	fputs("plot ", to);
	for (size_t i = 0; i < plot->n_curves; i++)
		fprintf(to,
			"%s$c%zu with linespoints lw 2 pt %d ps 1.1 dt %d "
			"notitle",
			i ? ", " : "", i, markers[i % MARKERS].type,
			i < MARKERS ? 1 : 2);
	fputs("\n", to);
}

/* ---- running gnuplot -------------------------------------------------------- */

/* Write the script to an empty file, ready to be read. */
static int write_script_to(const struct plot *plot, int fd)
{
	char *script = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&script, &len);
	int error = 0;

	if (!to)
		return -errno;
	write_script(plot, to);
	if (fclose(to) == EOF)
		error = -ENOMEM;
	if (!error)
		error = fdio_write_full(fd, script, len);
	if (!error && lseek(fd, 0, SEEK_SET) < 0)
		error = -errno;
	free(script);
	return error;
}

static int run_gnuplot(int in, int out, int64_t deadline)
{
	char *argv[] = {"gnuplot", "--default-settings", "-", NULL};
	struct child_spec spec = {
		.argv = argv, .in = in, .out = out, .err = -1, .group = -1};
	int status, error;
	pid_t pid;

	error = child_spawn(&spec, &pid);
	if (error)
		return error;
	error = child_wait(pid, deadline, &status);
	if (error) {
		child_end(pid, 0, &status);
		return error;
	}
	switch (child_exit_code(status)) {
	case 0:
		return 0;
	case 127: /* what spawning may say of a program that is not there */
		return -ENOENT;
	default:
		return -EBADMSG;
	}
}

/* All that is in the file, or NULL with *error set. */
static char *read_back(int fd, int *error)
{
	struct stat st;
	ssize_t len;
	char *text;

	if (fstat(fd, &st) || lseek(fd, 0, SEEK_SET) < 0) {
		*error = -errno;
		return NULL;
	}
	if (st.st_size > SVG_MAX) {
		*error = -EBADMSG;
		return NULL;
	}
	text = malloc((size_t)st.st_size + 1);
	if (!text) {
		*error = -ENOMEM;
		return NULL;
	}
	len = fdio_read_full(fd, text, (size_t)st.st_size);
	if (len < 0) {
		*error = (int)len;
		free(text);
		return NULL;
	}
	text[len] = '\0';
	return text;
}

/* ---- adapting the drawing ---------------------------------------------------- */

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* At "<title>…</title>": a tooltip. Curves get theirs, others none. Returns
 * what follows it. */
static const char *put_title(const struct plot *plot, const char *at, FILE *to)
{
	static const char curve[] = "<title>gnuplot_plot_";
	const char *end = strstr(at, "</title>");
	unsigned long number;

	if (!end)
		return at + strlen(at);
	if (begins(at, curve)) {
		number = strtoul(at + strlen(curve), NULL, 10);
		if (number >= 1 && number <= plot->n_curves) {
			fputs("<title>", to);
			html_text(to, plot->curves[number - 1].title);
			fputs("</title>", to);
		}
	}
	return end + strlen("</title>");
}

/* At "<g id="gnuplot_plot_N": a class for the style sheet. */
static const char *put_curve(const char *at, FILE *to)
{
	unsigned long number = strtoul(at + strlen(CURVE_GROUP), NULL, 10);

	fprintf(to, "<g class=\"curve s%zu\"",
		plot_colour(number > 0 ? number - 1 : 0));
	return at + strlen("<g");
}

/* Ids that every drawing of gnuplot has; two of them share the page. */
static const char *const ids[] = {"gnuplot_", "gpPt", "gpDot", "textbox",
				  "greybox"};

static void put_adapted(const struct plot *plot, const char *at, FILE *to)
{
	while (*at) {
		size_t i = 0;

		if (begins(at, "<title>")) {
			at = put_title(plot, at, to);
			continue;
		}
		if (begins(at, CURVE_GROUP)) {
			at = put_curve(at, to);
			continue;
		}
		if (begins(at, "<svg")) {
			fputs("<svg class=\"plot\" role=\"img\" aria-label=\"",
			      to);
			html_text(to, plot->label);
			fputs("\"", to);
			at += strlen("<svg");
			continue;
		}
		while (i < sizeof(ids) / sizeof(ids[0]) && !begins(at, ids[i]))
			i++;
		if (i < sizeof(ids) / sizeof(ids[0])) {
			fprintf(to, "%s_%s", plot->id, i == 0 ? "" : ids[i]);
			at += strlen(ids[i]);
		} else {
			putc(*at++, to);
		}
	}
}

static int adapted(const struct plot *plot, const char *drawing, char **svg)
{
	const char *begin = strstr(drawing, "<svg");
	size_t len = 0;
	FILE *to;

	if (!begin || !strstr(begin, "</svg>"))
		return -EBADMSG;
	to = open_memstream(svg, &len);
	if (!to)
		return -errno;
	put_adapted(plot, begin, to);
	if (fclose(to) == EOF) {
		free(*svg);
		return -ENOMEM;
	}
	return 0;
}

int plot_draw(const struct plot *plot, int64_t deadline, char **svg)
{
	int in = memfd_create("plot script", MFD_CLOEXEC);
	int out = memfd_create("plot", MFD_CLOEXEC);
	int error = in < 0 || out < 0 ? -errno : write_script_to(plot, in);
	char *drawing = NULL;

	if (!error)
		error = run_gnuplot(in, out, deadline);
	if (!error)
		drawing = read_back(out, &error);
	if (drawing)
		error = adapted(plot, drawing, svg);
	fdio_close(&in);
	fdio_close(&out);
	free(drawing);
	return error;
}
