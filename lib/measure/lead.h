/* lead.h - side A of a trial: it leads, and holds the clock.
 *
 * The phases: a stream to warm up, the measured stream (again when it was
 * disturbed), round trips to warm up, the measured round trips.
 */
#ifndef UNIXIPC_LIB_MEASURE_LEAD_H
#define UNIXIPC_LIB_MEASURE_LEAD_H

struct rig_gate;

/* What the process does, for rig_run(); board is a struct side_board. Returns 0
 * with the board's phases filled in, or -errno with its failure noted there. */
int lead_run(void *board, struct rig_gate *gate);

#endif
