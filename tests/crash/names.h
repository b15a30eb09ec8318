/* names.h - what the recorder does about names: each function is the call of that
 * name, made and logged. */
#ifndef UNIXIPC_TESTS_CRASH_NAMES_H
#define UNIXIPC_TESTS_CRASH_NAMES_H

#include <stdint.h>
#include <sys/types.h>

int names_open(int dir, const char *path, int flags, mode_t mode);
int names_mkdir(int dir, const char *path, mode_t mode);
int names_unlink(int dir, const char *path, int flags);
int names_link(int dir, const char *path, int dir2, const char *path2,
	       int flags);
int names_rename(int dir, const char *path, int dir2, const char *path2,
		 unsigned int flags);

/* Log what is in the folder of that number already. */
void names_find_all(const char *path, uint32_t number);

#endif
