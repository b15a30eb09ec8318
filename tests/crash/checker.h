/* checker.h - the program that says whether a folder is sound: it runs all the
 * time, and talks in lines.
 *
 *	said LINE     to it: the recorded program has printed LINE by now
 *	check DIR     to it: is that a state it may have left behind?
 *	ok            from it
 *	bad WHY       from it
 *
 * One that dies, or gives no answer in time, has called the state bad.
 */
#ifndef UNIXIPC_TESTS_CRASH_CHECKER_H
#define UNIXIPC_TESTS_CRASH_CHECKER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct checker {
	char *const *argv;
	pid_t pid; /* 0: to be started */
	int to, from;
	char *said; /* all lines, for one that is started anew */
	size_t n_said, room_said;
};

void checker_init(struct checker *checker, char *const *argv);
void checker_fini(struct checker *checker);

void checker_say(struct checker *checker, const char *line);

/* Whether the folder is sound; if not, why. Ends the process (3) when there is
 * no checker to be had. */
bool checker_ask(struct checker *checker, const char *dir, char *why,
		 size_t size);

#endif
