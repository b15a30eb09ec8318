/* rows.h - the tables of figures in a report. */
#ifndef UNIXIPC_SUITE_HTML_ROWS_H
#define UNIXIPC_SUITE_HTML_ROWS_H

#include <stdio.h>

#include "lib/measure/results.h"
#include "suite/sync/syncs.h"

/* Write the rows of a slice (grid.h) as one HTML table that scrolls in its
 * own box. */
void rows_write(const struct results *slice, const char *caption, FILE *to);

/* Write the table of synchronisation, or of storage. */
void rows_write_syncs(const struct syncs *syncs, const struct syncs_kind *kind,
		      FILE *to);

/* A time for people, "12.3 µs"; out_duration() with the sign that HTML has. */
void rows_put_time(double ns, FILE *to);

#endif
