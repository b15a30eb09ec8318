/* mypopen.h - a stdio stream to or from a command: popen(3) once more.
 *
 * The contract is that of POSIX.1-2024 popen() and pclose() (UNP2 4.5), and it
 * is kept where implementations tend to forget it:
 *
 *   - the ends of all other mypopen() streams are closed in a new child, so
 *     that each command sees end of file when its own stream is closed;
 *   - mypclose() waits for its own child and for nobody else's;
 *   - all functions may be called by any thread, and in a child forked by any
 *     thread at any moment; a signal handler may fork meanwhile;
 *   - none is a cancellation point: a thread that is cancelled in the middle
 *     goes on to the end of the call;
 *   - the cost of a call does not grow with the memory of the caller.
 *
 * As with the original, errors are NULL or -1 with errno set.
 */
#ifndef UNIXIPC_P03_POPEN_MYPOPEN_H
#define UNIXIPC_P03_POPEN_MYPOPEN_H

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Run `sh -c command` with a pipe at its standard output (mode "r": the caller
 * reads) or standard input ("w"). With an "e" in the mode the stream's
 * descriptor is close-on-exec, without it other programs that the caller runs
 * inherit it; commands started here never do. Everything else the child
 * inherits: signal mask, ignored signals, other descriptors.
 *
 * The stream is byte-oriented and fully buffered. It is the caller's, and ends
 * by mypclose() and nothing else. Does not wait for the command; a command that
 * the shell cannot find shows as exit status 127 at mypclose().
 *
 * EINVAL: another mode, or no command; nothing was started. Else what pipe(2),
 * vfork(2), execve(2) or fdopen(3) said (EMFILE, EAGAIN, E2BIG, ENOMEM). */
FILE *mypopen(const char *command, const char *mode);

/* The same without a shell: argv[0], searched in PATH, gets the arguments as
 * they are, whatever characters they hold; a script without #! is run by sh, as
 * by execvp(3). A program that cannot be run is an error here and now (ENOENT,
 * EACCES). */
FILE *mypopenv(char *const argv[], const char *mode);

/* Write what is buffered, close the stream and wait until its command has
 * ended, however long that takes and however many signals are handled
 * meanwhile. Returns the status as of waitpid(2), or -1:
 *
 *   ECHILD  the stream is none of ours (closed before, or made by fopen; it is
 *           not touched), or somebody else has waited for the child (a SIGCHLD
 *           handler, or SIGCHLD ignored; the stream is closed);
 *   other   the command ended with status 0, but not all that had been written
 *           could be flushed to it (EPIPE: it stopped reading). */
int mypclose(FILE *stream);

#ifdef __cplusplus
}
#endif

#endif
