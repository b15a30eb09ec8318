/* arguments.h - what kvstore was asked for, and how its verbs fail. */
#ifndef UNIXIPC_P09_RECLOCK_CMD_ARGUMENTS_H
#define UNIXIPC_P09_RECLOCK_CMD_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "p09-reclock/reclock.h"

struct arguments {
	const char *verb;
	char **operands; /* NULL-ended */
	const char *file;
	int64_t timeout_ns, hold_ns;
	uint32_t record, records;
	unsigned int ring;
	bool is_sync, is_raw, has_values, is_json, to_repair;
	bool is_kernel, is_ofd;
	const char *prefix;
};

/* Open the file. NULL: it could not be, which is said. */
struct reclock *arguments_try_open(const struct arguments *a,
				   unsigned int flags);

/* The same, or end the program. */
struct reclock *arguments_open(const struct arguments *a, unsigned int flags);

/* "set 'key1': why", and what is to be done; key may be NULL. */
void arguments_warn(const struct arguments *a, const struct reclock *store,
		    const char *key, int error);

/* The exit status for an error. */
int arguments_status(int error);

/* Both. */
_Noreturn void arguments_die(const struct arguments *a,
			     const struct reclock *store, const char *key,
			     int error);

#endif
