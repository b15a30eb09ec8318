/* target.h - which pool a command means, and how it says that there is none. */
#ifndef UNIXIPC_P10_SEMPOOL_CMD_TARGET_H
#define UNIXIPC_P10_SEMPOOL_CMD_TARGET_H

#include "lib/cmd/cli.h"

#define TARGET_NAME "/pool"

/* The row of --name in a table of options, and, after it was parsed, the check
 * of what was given, which ends the command where that is no name. */
#define TARGET_OPTION(to) \
	CLI_TEXT("name", 'n', "/NAME", to, "The pool (default " TARGET_NAME ")")
void target_check(const char *name);

/* End the command: why this pool could not be opened or made. */
_Noreturn void target_die(const char *name, int error);

#endif
