/* serve.h - side B of a trial: receive, verify, do what the flags say. */
#ifndef UNIXIPC_LIB_MEASURE_SERVE_H
#define UNIXIPC_LIB_MEASURE_SERVE_H

struct rig_gate;

/* What the process does, for rig_run(); board is a struct side_board. Returns 0,
 * or -errno with its failure noted there. */
int serve_run(void *board, struct rig_gate *gate);

#endif
