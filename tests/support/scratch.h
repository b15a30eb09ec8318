/* scratch.h - a directory for one test, removed with all that is in it. */
#ifndef UNIXIPC_TESTS_SUPPORT_SCRATCH_H
#define UNIXIPC_TESTS_SUPPORT_SCRATCH_H

#include <stddef.h>

struct scratch {
	char dir[64];   /* absolute */
	char path[256]; /* what scratch_path() gave last */
};

/* Make it below TMPDIR (default /tmp); fails the case when it cannot. */
void scratch_make(struct scratch *scratch);

/* "dir/name", good until the next call. */
const char *scratch_path(struct scratch *scratch, const char *name);

/* Write a file of len bytes in it. */
void scratch_write(struct scratch *scratch, const char *name, const void *bytes,
		   size_t len);

/* Copy a file in it to another name there. */
void scratch_copy(struct scratch *scratch, const char *from, const char *to);

void scratch_remove(struct scratch *scratch);

#endif
