/* holder.h - who has a place, as one word, so that a single compare-and-swap
 * puts it into the table, name and all, and takes it out again.
 *
 *	bits 30 … 63  the low bits of its start time (lib/identity.h: a process
 *	      8 … 29  its pid                         in a word)
 *	      0 … 7   turn: how often the place has been taken
 *
 * With the start time, a pid that the kernel gives to a later process is not
 * mistaken for the holder. Both mean something only where the pool was made:
 * the head of the memory has that place. Without a process in it, only the turn
 * is left.
 *
 * Two words name no process (their pid is 0): HOLDER_LEFT is in a slot whose
 * holder went in order, while what inherited the slot's lock goes on; and a
 * slot that was granted to who waits names the seat, see grant.h.
 */
#ifndef UNIXIPC_P10_SEMPOOL_HOLDER_H
#define UNIXIPC_P10_SEMPOOL_HOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/identity.h"

#define HOLDER_TURNS UINT64_C(0xff)
#define HOLDER_LEFT (UINT64_C(1) << HOLDER_START)

enum {
	HOLDER_PID = 8, /* where these begin */
	HOLDER_START = HOLDER_PID + IDENTITY_PID_BITS,
	HOLDER_START_BITS = 64 - HOLDER_START,
};

/* The calling process, at turn 0. 0 when /proc does not show it. */
static inline uint64_t holder_self(void)
{
	struct identity_process self;

	if (identity_self(&self))
		return 0;
	return identity_word(&self, HOLDER_START_BITS) << HOLDER_PID;
}

/* The word without its turn; 0 for a place that is free. */
static inline uint64_t holder_process(uint64_t word)
{
	return word & ~HOLDER_TURNS;
}

/* The next turn, which tells this holding from the same process's last. */
static inline uint64_t holder_turn_after(uint64_t word)
{
	return (word + 1) & HOLDER_TURNS;
}

static inline pid_t holder_pid(uint64_t word)
{
	return identity_word_pid(word >> HOLDER_PID);
}

/* Whether that very process lives: a zombie does not, a stopped one does. Some
 * 10 us, as /proc is asked. */
static inline bool holder_is_alive(uint64_t word)
{
	return identity_word_judge(word >> HOLDER_PID, HOLDER_START_BITS) !=
	       IDENTITY_DEAD;
}

/* Whether nobody has its pid any more: dead for certain. False says nothing: a
 * zombie still has it, and so may a later process. One short system call. */
static inline bool holder_is_gone(uint64_t word)
{
	return identity_word_is_gone(word >> HOLDER_PID);
}

#endif
