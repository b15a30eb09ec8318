/* serve.h - side B of a trial: receive, verify, do what the flags say. */
#ifndef UNIXIPC_LIB_MEASURE_SERVE_H
#define UNIXIPC_LIB_MEASURE_SERVE_H

/* The body of the child, for child_fork(); board is a struct side_board.
 * Returns the exit status: 0, or 1 with its failure noted there. */
int serve_run(void *board);

#endif
