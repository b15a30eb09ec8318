/* die.h - last words of a command: "program: what, on what: why".
 *
 * For commands only: a library returns -errno and leaves the words to its
 * caller. Everything goes to standard error as one line, written at once so
 * that lines of several processes do not mix; control characters become '?'.
 * An error number may be given as errno or as -errno; 0 adds no words. Not
 * for signal handlers or between fork and exec.
 */
#ifndef UNIXIPC_LIB_CMD_DIE_H
#define UNIXIPC_LIB_CMD_DIE_H

#include <stdbool.h>

enum die_status {
	DIE_FAILURE = 1, /* failed, or "no" */
	DIE_USAGE = 2,   /* the command line was not accepted */
	DIE_TIMEOUT = 3, /* out of time or room, where the chapter says so */
};

/* Print the message and exit with status 1. */
_Noreturn void die(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* The same, with ": " and the system's words for error. */
_Noreturn void die_errno(int error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Exit with status 2: what was given, and what is accepted. */
_Noreturn void die_usage(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* Exit with a status of the chapter's own. */
_Noreturn void die_status(int status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Whether one of these has begun to end the process: for what runs at its exit,
 * and has no more to say then. */
bool die_is_dying(void);

/* The messages without the end. */
void die_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void die_warn_errno(int error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
