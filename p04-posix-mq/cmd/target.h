/* target.h - which queue, and where its journal is: the options that both
 * commands have, and the words for what goes wrong with them.
 *
 * For the commands: prints and exits, and reads the environment.
 */
#ifndef UNIXIPC_P04_POSIX_MQ_CMD_TARGET_H
#define UNIXIPC_P04_POSIX_MQ_CMD_TARGET_H

#include <limits.h>

#include "lib/cmd/cli.h"

#define TARGET_QUEUE "/job_queue"

/* Set queue to TARGET_QUEUE and state to NULL. */
struct target {
	const char *queue;
	const char *state;      /* directory of journals; NULL: the default */
	char journal[PATH_MAX]; /* set by target_locate() */
};

/* Rows of a table of options; target is the address of one. */
#define TARGET_OPTIONS(target)                                \
	CLI_TEXT("queue", 'q', "/NAME", &(target)->queue,     \
		 "name of the queue (" TARGET_QUEUE ")"),     \
		CLI_TEXT("state", 0, "DIR", &(target)->state, \
			 "where journals are kept "           \
			 "(~/.local/state/unixipc)")

/* After the command line: what is not accepted ends the program. */
void target_check(const struct target *target);

/* Set journal to STATE/QUEUE, where STATE is, by default,
 * $XDG_STATE_HOME/unixipc or ~/.local/state/unixipc. */
void target_locate(struct target *target);

/* Make the directory that journals lie in, with its parents. */
void target_make_state(const struct target *target);

/* The last words when a journal or a queue could not be opened, status 1. */
_Noreturn void target_die_journal(const struct target *target, int error);
_Noreturn void target_die_queue(const struct target *target, int error);

#endif
