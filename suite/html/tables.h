/* tables.h - the tables of a report. Each scrolls in its own box. */
#ifndef UNIXIPC_SUITE_HTML_TABLES_H
#define UNIXIPC_SUITE_HTML_TABLES_H

#include <stdio.h>

#include "suite/pivot.h"
#include "suite/sync/syncs.h"

/* Write which mechanism is best with messages of each size. */
void tables_write_glance(const struct pivot *pivot, size_t placement, FILE *to);

/* Write a table of all mechanisms for each size. Returns 0 or -ENOMEM. */
int tables_write_sizes(const struct pivot *pivot, size_t placement, FILE *to);

/* Write the table of synchronisation, or of storage. */
void tables_write_syncs(const struct syncs *syncs,
			const struct syncs_kind *kind, FILE *to);

/* Write a time for people, "12.3 µs"; out_duration() with the sign that HTML
 * has. */
void tables_put_time(double ns, FILE *to);

#endif
