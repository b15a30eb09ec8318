/* target.h - which pool a command means, and how it says that there is none. */
#ifndef UNIXIPC_P10_SEMPOOL_CMD_TARGET_H
#define UNIXIPC_P10_SEMPOOL_CMD_TARGET_H

#define TARGET_NAME "/pool"

/* Returns name, or refuses it: the value of --name. */
const char *target_check(const char *name);

/* End the command: why this pool could not be opened or made. */
_Noreturn void target_die(const char *name, int error);

#endif
