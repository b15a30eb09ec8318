/* crash.h - a program for the power-cut tests: it does some work, and it knows
 * what must be left of it.
 *
 *	NAME drive DIR [ARGUMENT...]   the work, in an empty folder; under the
 *	                               recorder
 *	NAME check [ARGUMENT...]       the player's checker
 *
 * What the driver says by crash_say() its checker is told, and no other output
 * of it counts: "try 7" before it does something, "done 7" when that is
 * promised to last. Its processes are children of the driver, and it ends after
 * them.
 */
#ifndef UNIXIPC_TESTS_CRASH_CRASH_H
#define UNIXIPC_TESTS_CRASH_CRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crash_program {
	/* Returns the exit status. */
	int (*drive)(const char *dir, int argc, char **argv);
	/* Before the first of the calls below; may be NULL. */
	void (*begin)(int argc, char **argv);
	/* The driver has said this by now; "cut": what comes next is of another
	 * run, which has gone on from what a power cut had left. */
	void (*hear)(const char *line);
	/* Is that a state that a power cut may leave? NULL, or what is wrong:
	 * text that lasts until the next call. It may change the folder. */
	const char *(*check)(const char *dir);
};

/* What main() returns. */
int crash_main(const struct crash_program *program, int argc, char **argv);

/* One line, by write(2), which the recorder sees. Any process of a driver. */
void crash_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether a line is that word and so many numbers, with a blank before each. */
bool crash_scan(const char *line, const char *word, uint64_t *numbers,
		size_t n);

/* A number from the command line; ends the process when it is none. */
unsigned int crash_number(const char *text);

/* Text that lasts until the next call, for check(). */
const char *crash_why(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif
