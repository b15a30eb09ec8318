/* command.h - a program that runs as long as we hold a connection. */
#ifndef UNIXIPC_P10_SEMPOOL_CMD_COMMAND_H
#define UNIXIPC_P10_SEMPOOL_CMD_COMMAND_H

#include <sys/types.h>

/* Start argv, which ends in NULL, with our streams and the lock of our
 * connection (sempool_hand_down), so that this is not lent to others while
 * anything of the command runs. Should we be killed, the kernel kills it. (Not
 * so a set-user-ID program, nor what it has started itself: for these there is
 * the lock.) Returns 0 and *pid, or -errno with nothing started: -ENOENT,
 * -EACCES, ... */
int command_start(char *const argv[], int lock, pid_t *pid);

/* Wait until it has ended, and end it when a stop is asked for: after SIGTERM
 * at once, after SIGINT in a second, as a terminal has sent it that already.
 * Returns 0 and *status as of waitpid(2), or -errno; it has ended then too. */
int command_wait(pid_t pid, int *status);

#endif
