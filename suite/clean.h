/* clean.h - `ipc_suite clean`: remove what dead owners left. */
#ifndef UNIXIPC_SUITE_CLEAN_H
#define UNIXIPC_SUITE_CLEAN_H

/* Parses its own command line, argv[0] being its name. Returns the exit status;
 * what goes wrong ends the program (lib/cmd/die). */
int clean_command(int argc, char **argv);

#endif
