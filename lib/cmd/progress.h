/* progress.h - one line on standard error that says how far we are.
 *
 * For commands. Nothing is printed unless standard error is a terminal and
 * the work has lasted a second; then at most ten times a second. The line is
 * erased when done, so that only results stay.
 */
#ifndef UNIXIPC_LIB_CMD_PROGRESS_H
#define UNIXIPC_LIB_CMD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	int64_t start, last; /* moments of lib/tick */
	uint64_t total;
	bool is_shown, is_enabled;
};

void progress_start(struct progress *p, uint64_t total);
/* "what" names the present step. */
void progress_update(struct progress *p, uint64_t done, const char *what);
/* Erase the line before others are printed; the next update shows it again. */
void progress_clear(struct progress *p);
void progress_end(struct progress *p);

#endif
