/* stop.h - SIGINT and SIGTERM become a flag and a readable descriptor.
 *
 * For commands. One per process: the handler needs globals. After
 * stop_install() the two signals no longer end the process; they set the
 * flag, make stop_fd() readable for ever, and interrupt blocking calls with
 * EINTR (no SA_RESTART). A second SIGINT ends the process at once. SIGPIPE is
 * ignored from then on: writes give EPIPE. Forked children inherit the
 * handlers and the flag, and have a descriptor of their own (stop_fd() keeps
 * its number), so that stopping a child does not stop its parent.
 * child_spawn() resets the handlers. */
#ifndef UNIXIPC_LIB_CMD_STOP_H
#define UNIXIPC_LIB_CMD_STOP_H

#include <signal.h>
#include <stdbool.h>

/* Returns 0 or -errno. A signal that was ignored at start stays ignored
 * (nohup, background jobs of a shell without job control). */
int stop_install(void);

/* The signal that asked to stop, or 0. Any thread, any handler. */
int stop_signal(void);

/* Readable once a stop was asked for; for poll(2). Do not read it. */
int stop_fd(void);

/* Wait until a stop, a readable fd (-1: none) or the deadline. Returns 1 when
 * fd is readable or hung up, 0 on the deadline, -EINTR on a stop, -EBADF when
 * fd is not open. Other signals do not end the wait. */
int stop_wait(int fd, long long deadline);

/* 128 + the signal, for programs that were not meant to end by it; 0 when
 * none came. */
int stop_exit_code(void);

#endif
