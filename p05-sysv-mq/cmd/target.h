/* target.h - for the two commands: which queue, and why it cannot be used. */
#ifndef UNIXIPC_P05_SYSV_MQ_CMD_TARGET_H
#define UNIXIPC_P05_SYSV_MQ_CMD_TARGET_H

#include <stdint.h>
#include <sys/ipc.h>

#include "lib/cmd/cli.h"

#define TARGET_KEY ((key_t)0x12345678) /* the guide's */

/* Set key to TARGET_KEY, and the others to 0. */
struct target {
	key_t key;
	uint64_t identity;
	const char *key_text, *path; /* as given, one of them; or NULL */
};

/* Rows of a table of options; target is the address of one. */
#define TARGET_OPTIONS(target)                                 \
	CLI_TEXT("key", 'k', "KEY", &(target)->key_text,       \
		 "Key of the queue (default 0x12345678)"),     \
		CLI_TEXT("path", 'p', "FILE", &(target)->path, \
			 "Make the key from FILE, as ftok(3) does")

/* After the command line: read the key, or make it from the path. What is not
 * accepted ends the program. */
void target_resolve(struct target *target);

/* One line for the errors that both sides know, and exit 1. */
_Noreturn void target_refuse(const struct target *target, int error);

#endif
