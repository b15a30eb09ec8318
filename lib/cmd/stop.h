/* stop.h - SIGINT, SIGTERM and SIGHUP become a flag and a readable descriptor;
 * and the end by such a signal.
 *
 * For commands. One per process: the handler needs globals. After
 * stop_install() these signals no longer end the process; they set the flag,
 * make stop_fd() readable for ever, and interrupt blocking calls with EINTR (no
 * SA_RESTART). A second SIGINT ends the process at once. SIGPIPE is ignored
 * from then on: writes give EPIPE. Forked children inherit the handlers and the
 * flag, and have a descriptor of their own (stop_fd() keeps its number), so
 * that stopping a child does not stop its parent. exec(2) resets the handlers.
 *
 * Who then exits with stop_exit_code() has cleaned up, and dies by the signal
 * when exit(3) is over: what a shell waits for to end a loop. A service that is
 * meant to be ended so exits with 0. */
#ifndef UNIXIPC_LIB_CMD_STOP_H
#define UNIXIPC_LIB_CMD_STOP_H

#include <signal.h>
#include <stdbool.h>

/* Returns 0 or -errno. A signal that was ignored at start stays ignored
 * (nohup, background jobs of a shell without job control). */
int stop_install(void);

/* The signal that asked to stop, or 0. Any thread, any handler. SIGPIPE: nobody
 * asked, but standard output cannot be written any more (lib/cmd/out). */
int stop_signal(void);

/* Ask this process to stop as that signal would. Any thread, any handler. False
 * when stop_install() was not called. */
bool stop_ask(int number);

/* Readable once a stop was asked for; for poll(2). Do not read it. */
int stop_fd(void);

/* Wait until a stop, a readable fd (-1: none) or the deadline. Returns 1 when
 * fd is readable or hung up, 0 on the deadline, -EINTR on a stop, -EBADF when
 * fd is not open. Other signals do not end the wait. */
int stop_wait(int fd, long long deadline);

/* For programs that were not meant to end by it: 128 + the signal, to exit with,
 * and to die by; 1 when it is SIGPIPE; 0 when none came. */
int stop_exit_code(void);

/* Exit with 128 + number, and die by that signal; also without stop_install(),
 * for who waits for signals by himself. */
_Noreturn void stop_exit(int number);

/* Have a file that may grow no further (ulimit -f) be an error like others,
 * EFBIG, and not the end by SIGXFSZ. cli_parse() calls it. By a handler that
 * does nothing, which exec(2) resets: what is started does not inherit it. */
void stop_survive_file_limit(void);

#endif
