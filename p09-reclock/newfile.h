/* newfile.h - a file that gets its name when it is whole. */
#ifndef UNIXIPC_P09_RECLOCK_NEWFILE_H
#define UNIXIPC_P09_RECLOCK_NEWFILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "p09-reclock/layout.h"

/* What an empty file holds: layout->file_bytes, to be freed by the caller; NULL
 * when memory is short. */
void *newfile_image(const struct layout *layout);

struct newfile {
	int fd;
	bool has_name; /* the file system knows no files without one */
};

/* Write the image, to the disk; named temporary if it must have a name. Returns
 * 0 or -errno with nothing left. */
int newfile_write(struct newfile *file, int dir, const char *temporary,
		  mode_t mode, const struct layout *layout, const void *image);

/* Give it a name that nobody has: 0, -EEXIST, or another -errno. temporary, of
 * the call above, is gone then, unless it is the name. */
int newfile_link(struct newfile *file, int dir, const char *temporary,
		 const char *name);

/* Close it; without a name it is gone. */
void newfile_discard(struct newfile *file, int dir, const char *temporary);

/* A folder's names, to the disk. */
int newfile_sync_dir(int dir);

#endif
