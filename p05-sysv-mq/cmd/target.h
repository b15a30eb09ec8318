/* target.h - for the two commands: which queue, and why it cannot be used. */
#ifndef UNIXIPC_P05_SYSV_MQ_CMD_TARGET_H
#define UNIXIPC_P05_SYSV_MQ_CMD_TARGET_H

#include <stdint.h>
#include <sys/ipc.h>

#define TARGET_KEY ((key_t)0x12345678) /* the guide's */

struct target {
	key_t key;
	uint64_t identity;
	const char *path; /* NULL: the key was given, or none */
	const char *key_text;
};
#define TARGET_DEFAULT                                            \
	{                                                         \
		.key = TARGET_KEY, .path = NULL, .key_text = NULL \
	}

/* For the parsers of --key and --path: they end the program with status 2 when
 * the text is not accepted. */
void target_set_key(struct target *target, const char *text);
void target_set_path(struct target *target, const char *path);

/* After the command line: find the key of a path. */
void target_resolve(struct target *target);

/* One line for the errors that both sides know, and exit 1. */
_Noreturn void target_refuse(const struct target *target, int error);

#endif
