/* figures.h - the plots of a report: throughput and round trip against message
 * size, for one placement, with the key to both. */
#ifndef UNIXIPC_SUITE_HTML_FIGURES_H
#define UNIXIPC_SUITE_HTML_FIGURES_H

#include <stdio.h>

#include "suite/html/grid.h"

/* Write them. Returns 0, or -errno of plot_draw() with nothing written, or
 * -ENODATA when no row of this placement has figures. */
int figures_write(const struct grid *grid, size_t placement, FILE *to);

#endif
