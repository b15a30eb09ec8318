/* newfile.h - a file that appears under its name when it is whole and durable,
 * and leaves nothing behind when its maker is killed before (O_TMPFILE). */
#ifndef UNIXIPC_P14_MMAPDB_NEWFILE_H
#define UNIXIPC_P14_MMAPDB_NEWFILE_H

#include <limits.h>
#include <sys/types.h>

/* Where a file is, or is to be. */
struct newfile_place {
	int dir_fd;
	char name[NAME_MAX + 1];
};

/* The folder and name of path, of what it leads to if it is a symbolic link.
 * -ENAMETOOLONG: there is no room for the names of the files beside it. */
int newfile_find(const char *path, struct newfile_place *place);

/* A file without a name; its descriptor. */
int newfile_open(int dir_fd, mode_t mode);

/* Sync it, give it its name, sync the folder. -EEXIST. */
int newfile_publish(int fd, int dir_fd, const char *name);

/* fsync(2) of a folder, where that is possible. */
int newfile_sync_dir(int dir_fd);

#endif
