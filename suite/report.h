/* report.h - `ipc_suite report`: results of a benchmark as one HTML page. */
#ifndef UNIXIPC_SUITE_REPORT_H
#define UNIXIPC_SUITE_REPORT_H

/* Parses its own command line, argv[0] being its name. Returns the exit status;
 * what goes wrong ends the program (lib/cmd/die). */
int report_command(int argc, char **argv);

#endif
