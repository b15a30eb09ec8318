/* file.h - files in the data folder: whole transfers, names that last.
 *
 * dir is the folder's descriptor. Symbolic links are never followed, files are
 * 0600 and close-on-exec. Functions return -errno, block for as long as the disk
 * takes, and may be called by any thread. */
#ifndef UNIXIPC_P18_RPC_KV_DURABLE_FILE_H
#define UNIXIPC_P18_RPC_KV_DURABLE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A new file; one of that name that is there is removed. The descriptor. */
int file_make(int dir, const char *name);

/* One that is there, to read and write. -EBADMSG: it is not a file; -EPERM: others
 * than us and root may write to it. */
int file_open(int dir, const char *name);

/* Its size. */
int file_size(int fd, uint64_t *bytes);

/* All len bytes, at offset; on failure some may be written. */
int file_write(int fd, const void *bytes, size_t len, uint64_t offset);

/* Fewer than len only at the end. */
ssize_t file_read(int fd, void *bytes, size_t len, uint64_t offset);

/* The data and what is needed to find it, on the disk. Not to be tried again. */
int file_sync(int fd);

/* Make it bytes long, all of them zeros that are on the disk. -ENOSPC before
 * anything is written, where the file system knows. */
int file_fill(int fd, uint64_t bytes);

/* What the file from is called from now on, also after a power cut; what had
 * that name is gone. It has been synced before. */
int file_rename(int dir, const char *from, const char *to);

/* 0 also when there is none. To be made to last by file_sync(dir). */
int file_remove(int dir, const char *name);

/* Call visit with each name, until it returns non-zero, which is returned. */
int file_each(int dir, int (*visit)(const char *name, void *arg), void *arg);

/* What name says behind that beginning, "snapshot-0012" as 12; 0: nothing. */
uint64_t file_number(const char *name, const char *beginning);

#endif
