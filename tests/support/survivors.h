/* survivors.h - one of several processes is killed; the others go on.
 *
 * A play has roles, as the mechanism has them: sender and receiver, holder and
 * manager. Each actor is a process: it enters once, and then does one step after
 * another. A step is what the mechanism promises to end within a certain time,
 * whoever dies: take the lock and give it back, send a message, wait a round. It
 * checks what it finds, too.
 *
 * A round: all enter. One, the victim, is struck: at random, at one of its
 * system calls, or at one that is named, in front of it or behind it; half of
 * the time it is stopped first. Where its role is one that only one may have, it
 * is asked for while the victim is stopped, and must not be given. Then it is
 * killed, and in half of the rounds stays a zombie to the end. The survivors do
 * some more steps, each within the promise; a successor is given the role within
 * the promise, and does as many. In every eighth round it comes a quarter of the
 * promise later, so that those who wait are told of the death first, and have as
 * much more time. Foreign objects stand beside.
 *
 * The promise is kept when a step ended no later after its beginning or the
 * death, whichever was later, than promised. What the machine itself was late
 * meanwhile is measured in the test's process, and allowed for.
 */
#ifndef UNIXIPC_TESTS_SUPPORT_SURVIVORS_H
#define UNIXIPC_TESTS_SUPPORT_SURVIVORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/rng.h"
#include "tests/support/foreign.h"

enum { SURVIVORS_ROLES = 4, SURVIVORS_ACTORS = 16, SURVIVORS_FAULT = 512 };

struct survivors_play;
struct survivors_board;

struct survivors_actor {
	const struct survivors_play *play;
	void *stage;         /* of the round: shared memory, zero at first */
	void *own;           /* for what enter() wants to keep */
	unsigned int role;   /* its number in the play */
	unsigned int number; /* which of all actors; a successor has the number
			      * of the victim */
	bool is_victim, is_successor;
	uint64_t round, steps; /* how many it has done */
	struct rng rng;
	struct survivors_board *board; /* the harness's own */
};

/* All return 0 or an error, which fails the round and is printed; but for a step
 * that returns -EINTR, which is done again and does not count. They are called
 * in a child, and cannot assert. */
struct survivors_role {
	const char *name;
	unsigned int count;
	int (*enter)(struct survivors_actor *self);
	int (*step)(struct survivors_actor *self);
	void (*leave)(struct survivors_actor *self); /* or NULL */
	/* Only one may have it: what enter() returns while the victim lives. 0:
	 * any number may. */
	int refusal;
	/* What it returns to a victim in a PID namespace of its own, which then
	 * is not struck, as it has not come; 0: it may come from there. */
	int refusal_elsewhere;
	bool is_never_struck; /* no victim is chosen from it */
	bool stays; /* a server: it leaves when all others have left, and its
		     * step may take as long as that */
	/* A victim may be stopped for long, and nobody's step depends on it. */
	bool is_stopped_harmlessly;
};

struct survivors_play {
	const char *name;
	struct survivors_role role[SURVIVORS_ROLES];
	size_t stage_bytes;
	int64_t promise_ns; /* of a step, and of a successor's enter() */
	int64_t life_ns;    /* a victim is struck within this time; 0: 2 ms */
	/* System calls by number (SYS_futex) that it is struck at, every fourth
	 * round; ends in 0 and may be empty. */
	long calls[4];
	unsigned int more; /* steps after the death, or 0 for 5 */
	int rounds;        /* in the short form, or 0 for 12; the long one has
			    * 1000 */
	/* Of the round, in the test's process, where they may assert: make the
	 * object; look whether all is well; remove it. Or NULL. */
	void (*prepare)(void *stage);
	void (*finish)(
		void *stage); /* all others have left: end those that stay */
	void (*check)(void *stage);
	void (*clear)(void *stage);
};

/* Play all rounds, and print how many there were, of which kinds, and the worst
 * delay. SURVIVORS_SEED=N repeats a run as far as the scheduler does. Fails the
 * case. */
void survivors_play(const struct survivors_play *play);

/* The same, but a fault is told: whether there was one, and which. */
bool survivors_find_fault(const struct survivors_play *play,
			  char fault[SURVIVORS_FAULT]);

/* Whether the victim was killed, or is about to be within microseconds: what it
 * held may be another's now. */
bool survivors_victim_is_dead(const struct survivors_actor *self);

/* Which of all: no two that live at the same time have the same, and a successor
 * has another than the victim. From 1 on. */
unsigned int survivors_self(const struct survivors_actor *self);

#endif
