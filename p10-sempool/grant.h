/* grant.h - to give a slot back: to the semaphore, where the quickest has it, or
 * to whoever has waited for it longest.
 *
 * A waiter that slept for GRANT_PATIENCE_NS beside the semaphore asks for a
 * grant: asks_since_ns of its seat. From then on no slot goes to the semaphore
 * while anybody asks, so nobody overtakes it. Who gives a slot back puts the
 * seat's name into it instead of its own, in one compare-and-swap, and calls
 * the waiter; the waiter swaps that for its own name.
 *
 *	give   own name → name of the seat      call
 *	take   name of the seat → own name      returns + 1
 *
 * Killed after "give": the waiter, which looks every 50 ms, finds its seat's
 * name. Waiter killed, or gone when its time was over: the name is one of a
 * seat that somebody else has, or nobody; a patrol gives the slot to the next.
 * Waiter only stopped: after GRANT_LIMIT_NS a patrol does the same, and the
 * seat no longer asks, until its owner runs again. The model is
 * tests/models/pool_grant.pml.
 */
#ifndef UNIXIPC_P10_SEMPOOL_GRANT_H
#define UNIXIPC_P10_SEMPOOL_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "p10-sempool/memory.h"

#define GRANT_PATIENCE_NS 50000000
#define GRANT_LIMIT_NS 100000000

/* Give back the slot that has this word. 0, or -EBADMSG: it had it no more, or
 * the semaphore is at its maximum, which no pool has. */
int grant_return(struct sempool_memory *memory, unsigned int slots,
		 unsigned int slot, uint64_t word);

/* For who waits on that seat: ask, since when it has waited; and sleep until it
 * is called, or the deadline. Between the two, look: the first returns what the
 * second wants. */
uint32_t grant_ask(struct sempool_memory *memory, struct entry *seat,
		   int64_t since_ns);
int grant_sleep(struct entry *seat, uint32_t calls, int64_t deadline);
void grant_call(struct entry *seat);

/* Take what was granted to the seat, which has or had this word, for a holder.
 * Returns the slot and *word, or -EAGAIN. */
int grant_take(struct sempool_memory *memory, unsigned int slots,
	       unsigned int seat, uint64_t seat_word, uint64_t holder,
	       uint64_t *word);

/* Whether a slot's word is a grant: then *seat is to whom, or NULL if nobody is
 * there any more. */
bool grant_is(struct sempool_memory *memory, unsigned int slots, uint64_t word,
	      struct entry **seat);

#endif
