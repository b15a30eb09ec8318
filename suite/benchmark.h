/* benchmark.h - `ipc_suite benchmark`: every mechanism over a range of message sizes. */
#ifndef UNIXIPC_SUITE_BENCHMARK_H
#define UNIXIPC_SUITE_BENCHMARK_H

/* Parses its own command line, argv[0] being its name. Returns the exit status;
 * what goes wrong ends the program (lib/cmd/die). */
int benchmark_command(int argc, char **argv);

#endif
