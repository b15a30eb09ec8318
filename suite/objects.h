/* objects.h - `ipc_suite objects`: whose IPC objects are there. */
#ifndef UNIXIPC_SUITE_OBJECTS_H
#define UNIXIPC_SUITE_OBJECTS_H

/* Parses its own command line, argv[0] being its name. Returns the exit status;
 * what goes wrong ends the program (lib/cmd/die). */
int objects_command(int argc, char **argv);

/* Say why they cannot be looked at, and of a ledger whose place somebody else
 * has where that is and what to do, and exit. */
_Noreturn void objects_die(int error);

#endif
