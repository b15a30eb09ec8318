/* log.h - what programs did to one folder, in one order: the recorder
 * (record.c) writes it, the player reads it.
 *
 *	struct log_head      with the lock, and the files that are known
 *	struct log_record    one behind the other, each with its payload and
 *	...                  filled up to 8 bytes
 *
 * All processes that are recorded have the log mapped and write under its
 * lock, a robust mutex: one that is killed holds nobody up.
 */
#ifndef UNIXIPC_TESTS_CRASH_LOG_H
#define UNIXIPC_TESTS_CRASH_LOG_H

#include <pthread.h>
#include <stdint.h>

#define LOG_MAGIC UINT64_C(0x31474f4c48535243) /* "CRSHLOG1" */
#define LOG_BYTES (UINT64_C(1) << 30)          /* of the sparse file */
#define LOG_FILES 4096
#define LOG_NAME 224 /* of a file, with its NUL */

/* A file or folder by number: 0 is no file, 1 the folder itself. */
#define LOG_NO_FILE UINT32_C(0)
#define LOG_ROOT UINT32_C(1)

enum log_kind {
	LOG_NOTHING, /* it failed, and has changed nothing */
	LOG_SAID,    /* a line of standard output; payload: the line */
	LOG_MAKE,    /* file has name in dir, empty (dir 0: O_TMPFILE) */
	LOG_MAKE_DIR,
	LOG_FOUND,  /* file was there before we looked, a folder if len is 1;
		     * its first `offset` bytes follow, up to the next
		     * LOG_SYNCED, as durable as its name */
	LOG_WRITE,  /* payload: len bytes, from offset on */
	LOG_ZERO,   /* len bytes of zero, from offset on */
	LOG_SIZE,   /* its size is len now */
	LOG_GROW,   /* the same, if it was less */
	LOG_SYNC,   /* begins: of the len bytes from offset on, or a folder's
		     * names; of everything when file is 0 */
	LOG_SYNCED, /* the sync that began at record `of` has ended well */
	LOG_LINK,   /* file has name in dir, too */
	LOG_UNLINK, /* name in dir means nothing any more */
	LOG_RENAME, /* name in dir is name2 in dir2 now, and means file */
	LOG_LOST,   /* the recorder cannot follow; payload: why */
};

struct log_record {
	uint32_t bytes; /* with payload and filling */
	uint16_t kind;
	uint16_t is_done; /* 0: its process was killed within the call */
	int32_t pid;
	uint32_t file, dir, dir2;
	uint64_t number; /* 0, 1, 2 … */
	uint64_t offset, len, of;
	char name[LOG_NAME], name2[LOG_NAME];
};
_Static_assert(sizeof(struct log_record) == 56 + 2 * LOG_NAME, "no holes");

/* Inode numbers come again: the last entry of a number counts. */
struct log_file {
	uint64_t inode;
	uint32_t file;
	uint32_t dir; /* where it was last seen, and its name there */
	char name[LOG_NAME];
};

struct log_head {
	uint64_t magic;
	pthread_mutex_t lock;
	uint64_t used;    /* bytes, this head with them */
	uint64_t doing;   /* where the record is whose call goes on; 0: none */
	uint64_t records; /* so many */
	uint64_t device;  /* of the folder */
	uint32_t files;   /* entries of file[] */
	uint32_t next_file;
	struct log_file file[LOG_FILES];
};

#define LOG_START ((sizeof(struct log_head) + 4095) & ~UINT64_C(4095))

#endif
