/* command.h - a program that runs as long as we hold a connection. */
#ifndef UNIXIPC_P10_SEMPOOL_CMD_COMMAND_H
#define UNIXIPC_P10_SEMPOOL_CMD_COMMAND_H

#include <sys/types.h>

/* Start argv, which ends in NULL, with our streams. Should we be killed, the
 * kernel kills it: nobody goes on using what we no longer hold. (Not so a
 * set-user-ID program, nor what it has started itself.) Returns 0 and *pid,
 * or -errno with nothing started: -ENOENT, -EACCES, ... */
int command_start(char *const argv[], pid_t *pid);

/* Wait until it has ended, and end it when a stop is asked for: after SIGTERM
 * at once, after SIGINT in a second, as a terminal has sent it that already.
 * Returns 0 and *status as of waitpid(2), or -errno; it has ended then too. */
int command_wait(pid_t pid, int *status);

#endif
