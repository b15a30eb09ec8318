/* list.h - `ipc_suite list`: every mechanism, and its limits on this machine. */
#ifndef UNIXIPC_SUITE_LIST_H
#define UNIXIPC_SUITE_LIST_H

/* Parses its own command line, argv[0] being its name. Returns the exit status;
 * what goes wrong ends the program (lib/cmd/die). */
int list_command(int argc, char **argv);

#endif
