/* wholefile.h - a file that gets its name when it is whole. */
#ifndef UNIXIPC_P09_RECLOCK_WHOLEFILE_H
#define UNIXIPC_P09_RECLOCK_WHOLEFILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "p09-reclock/layout.h"

/* What an empty file holds: layout->file_bytes, to be freed by the caller; NULL
 * when memory is short. */
void *wholefile_image(const struct layout *layout);

struct wholefile {
	int fd;
	bool has_name; /* the file system knows no files without one */
};

/* Write the image, to the disk; named temporary if it must have a name. Returns
 * 0 or -errno with nothing left. */
int wholefile_write(struct wholefile *file, int dir, const char *temporary,
		    mode_t mode, const struct layout *layout,
		    const void *image);

/* Give it a name that nobody has: 0, -EEXIST, or another -errno. temporary, of
 * the call above, is gone then, unless it is the name. */
int wholefile_link(struct wholefile *file, int dir, const char *temporary,
		   const char *name);

/* Close it; without a name it is gone. */
void wholefile_discard(struct wholefile *file, int dir, const char *temporary);

/* A folder's names, to the disk. */
int wholefile_sync_dir(int dir);

#endif
