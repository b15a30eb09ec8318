/* plot.h - curves over message size as SVG for the inside of a page, drawn by
 * gnuplot.
 *
 * Gnuplot only ever gets numbers: titles are put in afterwards, so no text of
 * a results file can become a command of its. It runs without a shell, with
 * a deadline, and reads no settings of the user's.
 *
 * Colours are the page's business, light or dark: each curve is a group of
 * class "curve sN", N from 1 to PLOT_COLOURS; what else gnuplot draws in black
 * and grey is for the style sheet to take over.
 */
#ifndef UNIXIPC_SUITE_HTML_PLOT_H
#define UNIXIPC_SUITE_HTML_PLOT_H

#include <stddef.h>
#include <stdint.h>

enum plot_unit { PLOT_BYTES_PER_SECOND, PLOT_SECONDS };

struct plot_curve {
	const char *title; /* shown when the pointer rests on the curve */
	const double *y;   /* one a size, in unit; 0 or less: no point */
};

struct plot {
	const char *id;    /* a word of letters: unique in the page */
	const char *label; /* what a screen reader says */
	enum plot_unit unit;
	const uint64_t *sizes; /* x, ascending */
	size_t n_sizes;
	const struct plot_curve *curves;
	size_t n_curves;
};

/* Draw it: both axes logarithmic. Returns 0 and *svg, to be freed, or -ENOENT
 * (there is no gnuplot), -ETIMEDOUT (not done at the deadline: killed),
 * -EBADMSG (it failed, or printed something else), or another -errno. */
int plot_draw(const struct plot *plot, int64_t deadline, char **svg);

/* N of the class "sN" of curve i (from 0). */
#define PLOT_COLOURS 12
size_t plot_colour(size_t i);

/* The character that looks like the marker of curve i (from 0), in UTF-8:
 * for the legend. */
const char *plot_marker(size_t i);

#endif
