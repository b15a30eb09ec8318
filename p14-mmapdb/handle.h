/* handle.h - what a handle remembers; none of it is shared. */
#ifndef UNIXIPC_P14_MMAPDB_HANDLE_H
#define UNIXIPC_P14_MMAPDB_HANDLE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p14-mmapdb/layout.h"
#include "p14-mmapdb/mmapdb.h"

enum handle_transaction { HANDLE_NONE, HANDLE_READS, HANDLE_WRITES };

/* What a transaction has written and nobody has seen: page i at arena + 4096 i. */
struct handle_dirty {
	unsigned char *arena;
	size_t room, used; /* pages */
	uint32_t *freed;   /* indices that can be used again */
	size_t n_freed, freed_room;
	void *scratch;                    /* see write.c */
	uint64_t changes, changes_before; /* so far; when it began */
};

/* The record of what a transaction does, for the log: see log.c. */
struct handle_redo {
	unsigned char *bytes;
	size_t used;
	uint32_t ops;
	bool is_over; /* it is too long, or nobody needs it */
};

struct mmapdb {
	unsigned int flags;
	enum handle_transaction transaction;
	struct layout_version version; /* what this transaction sees */
	struct layout_version base;    /* what a writing one began from */

	/* The file, mapped read-only; tags say which pages were checked. */
	const unsigned char *map;
	uint64_t mapped, reserved; /* pages */
	uint32_t *tags;
	int fd;
	uint64_t dev, ino;
	uint8_t id[16];
	char boot[40]; /* this one, as layout_state has it */
	uint64_t max_pages;

	/* The lock file; NULL when we may not even read it. */
	struct layout_state *state;
	struct layout_reader *readers; /* NULL when we may not write to it */
	int lock_fd;
	int reader;   /* our slot of them, or -1 */
	uint64_t met; /* epoch in which the state was found to be this file's */
	struct layout_version looked; /* the last visible one; txnid 0: none */
	uint64_t lock_bytes; /* of the lock file, as a writer found it */
	pid_t pid;
	uint32_t pid_ns; /* inode of our PID namespace; 0: not known */
	bool is_pinned;  /* we hold the lock of readers without a slot */
	uint32_t ticket;
	bool has_ticket; /* else we have overtaken those who wait */

	struct handle_dirty dirty;
	struct handle_redo redo;
	uint32_t failures; /* that there were when it was appended */

	int dir_fd;
	char name[NAME_MAX + 1];
	unsigned char *guard; /* 1, and 0 in a forked child */
	int broken;           /* the error that spoilt the transaction */
	char error[200];
};

/* Note what failed, in words, and return error. */
int handle_fail(struct mmapdb *db, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Open the files of db->name, and map what there is. */
int handle_open(struct mmapdb *db);
void handle_close(struct mmapdb *db);

/* Whether db->name still leads to our file: 0, -ESTALE (to another) or
 * -errno. */
int handle_is_current(struct mmapdb *db);

/* A pid that another process left, in whose PID namespace: what it is to us, or
 * 0. */
int32_t handle_pid(const struct mmapdb *db, int32_t pid, uint32_t pid_ns);

/* When it leads to another file since a compaction, move over; -EALREADY when it
 * does not. We hold no lock. */
int handle_follow(struct mmapdb *db);

/* Open the other file beside ours, for the one that has put it there. */
int handle_open_again(const struct mmapdb *db, struct mmapdb *fresh);
void handle_replace(struct mmapdb *db, struct mmapdb *fresh);

#endif
