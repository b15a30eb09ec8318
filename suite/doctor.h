/* doctor.h - `ipc_suite doctor`: what this machine lacks, and how to fix it. */
#ifndef UNIXIPC_SUITE_DOCTOR_H
#define UNIXIPC_SUITE_DOCTOR_H

/* Parses its own command line, argv[0] being its name. Returns the exit status;
 * what goes wrong ends the program (lib/cmd/die). */
int doctor_command(int argc, char **argv);

#endif
