/* page.h - results of a benchmark as one HTML page that needs nothing else:
 * no script, no font, no picture from elsewhere. It is well-formed XML too. */
#ifndef UNIXIPC_SUITE_HTML_PAGE_H
#define UNIXIPC_SUITE_HTML_PAGE_H

#include <stdio.h>

#include "suite/outcome.h"

/* Write the page. Returns 0, -ENOMEM or -E2BIG (pivot.h). *no_plots is NULL, or
 * why there are no plots in it (the page says so too); the text need not be
 * freed. What could not be written to the stream is for the caller to notice
 * (ferror). */
int page_write(const struct outcome *outcome, const char **no_plots, FILE *to);

#endif
