/* holder.h - a process as one word, so that a single compare-and-swap puts it
 * into a place of the table, name and all, and takes it out again.
 *
 *	bits 30 … 63  its start time in clock ticks since boot; after 5 years
 *	              of uptime it begins anew
 *	      8 … 29  its pid: 22 bits are the most that Linux has
 *	      0 … 7   turn: how often the place has been taken
 *
 * With the start time, a pid that the kernel gives to a later process is not
 * mistaken for the holder. Without a process in it, only the turn is left.
 */
#ifndef UNIXIPC_P10_SEMPOOL_HOLDER_H
#define UNIXIPC_P10_SEMPOOL_HOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HOLDER_TURNS UINT64_C(0xff)

/* The calling process, at turn 0. 0 when /proc does not show it, or under
 * another pid. */
uint64_t holder_self(void);

/* The word without its turn; 0 for a place that is free. */
static inline uint64_t holder_process(uint64_t word)
{
	return word & ~HOLDER_TURNS;
}

pid_t holder_pid(uint64_t word);

/* Whether that very process lives: a zombie does not, a stopped one does. Some
 * 10 us, as /proc is asked. */
bool holder_is_alive(uint64_t word);

/* Whether nobody has its pid any more: dead for certain. False says nothing: a
 * zombie still has it, and so may a later process. One short system call. */
bool holder_is_gone(uint64_t word);

#endif
