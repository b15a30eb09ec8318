/* syncop.h - what a way to synchronise must offer to be measured.
 *
 * Members, which are processes, repeat enter() and leave(). There are three
 * kinds. One excludes: between enter and leave there is one member at a time.
 * One meets: enter returns when every member has come. The third is what a
 * store does (suite/storage): its members neither wait for each other nor keep
 * each other out, and enter verifies what it has done. A pool excludes
 * when it has one place, and so does a queue that holds one token. A new one is
 * one file with one struct syncop and one line in syncop.c; neither measuring
 * (contend.h) nor `ipc_suite list` knows anything else of any of them.
 *
 * The parent calls create() and destroy(); members inherit the state. All
 * functions return 0 or -errno and may block: the parent holds the deadline.
 */
#ifndef UNIXIPC_SUITE_SYNC_SYNCOP_H
#define UNIXIPC_SUITE_SYNC_SYNCOP_H

#include <stdbool.h>
#include <stddef.h>

struct syncop_limit {
	char most[24]; /* what one of it can do here: "32767 members" */
	char why[160]; /* what limits it, and how to raise that; or "" */
};

struct syncop {
	const char *name;    /* "posix-sem" */
	const char *title;   /* "POSIX semaphore" */
	const char *summary; /* one line: what it is, and what for */
	bool meets;          /* the second kind */
	bool is_apart;       /* the third kind */

	/* Ask the machine, making nothing; -errno when it does not work here,
	 * and why. NULL: there is no limit worth a name. */
	int (*check)(struct syncop_limit *limit);

	/* *state is the operation's own. */
	int (*create)(void **state, int members);
	int (*enter)(void *state);
	int (*leave)(void *state); /* NULL: nothing is to be done */
	void (*destroy)(void *state);
};

/* All of them, in the order of the table; ends in NULL. */
extern const struct syncop *const syncop_table[];

/* What check says, or "any". Returns 0 or -errno. */
int syncop_ask(const struct syncop *op, struct syncop_limit *limit);

extern const struct syncop syncop_mutex;
extern const struct syncop syncop_bounded;
extern const struct syncop syncop_rwlock_fair;
extern const struct syncop syncop_rwlock_reader;
extern const struct syncop syncop_rwlock_writer;
extern const struct syncop syncop_posix_sem;
extern const struct syncop syncop_sempool;
extern const struct syncop syncop_sysv_sem;
extern const struct syncop syncop_fcntl;
extern const struct syncop syncop_barrier;
extern const struct syncop syncop_sysv_barrier;

/* Memory that forked members share, zeroed; NULL when there is none. */
void *syncop_share(size_t size);
void syncop_unshare(void *shared, size_t size);

#endif
