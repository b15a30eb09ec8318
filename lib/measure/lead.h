/* lead.h - side A of a trial: it leads, and holds the clock.
 *
 * The phases: a stream to warm up, the measured stream (again when it was
 * disturbed), round trips to warm up, the measured round trips.
 */
#ifndef UNIXIPC_LIB_MEASURE_LEAD_H
#define UNIXIPC_LIB_MEASURE_LEAD_H

/* The body of the child, for child_fork(); board is a struct side_board.
 * Returns the exit status: 0 with the board's phases filled in, or 1 with its
 * failure noted there. */
int lead_run(void *board);

#endif
