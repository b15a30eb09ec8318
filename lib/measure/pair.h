/* pair.h - the two processes of a trial, from fork to the last wait. */
#ifndef UNIXIPC_LIB_MEASURE_PAIR_H
#define UNIXIPC_LIB_MEASURE_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/measure/measure.h"
#include "lib/measure/side.h"

/* Start both sides on a board that is ready and wait until both have ended.
 * When one fails (killed, a message damaged, …) the other is killed soon.
 * Returns 0 with *reason 0, or -errno and in why one line what happened to
 * which side; -EINTR on a stop, -ETIMEDOUT past the deadline, or -errno when
 * they could not be started. No child is left in any case. */
int pair_run(struct side_board *board, int64_t deadline, int *reason, char *why,
	     size_t why_size);

/* Whether options->stop_fd is readable. */
bool pair_is_stop_asked(const struct measure_options *options);

#endif
