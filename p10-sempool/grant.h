/* grant.h - to give a slot back: to the semaphore, where the quickest has it, or
 * by direct hand-off to whoever has waited for it longest.
 *
 * A waiter that slept for GRANT_AFTER_NS beside the semaphore asks for a grant:
 * asks_since_ns of its entry. From then on no slot goes to the semaphore while
 * any waiter asks, so nobody overtakes it. Who gives a slot back puts the
 * waiter's name into it instead of its own, in one compare-and-swap, and wakes
 * the waiter, which swaps that for its own pid.
 *
 *	give   own pid → name of the waiter     wake
 *	take   name of the waiter → own pid     returns + 1
 *
 * Giver killed after "give": the waiter, which looks every 50 ms, finds its name.
 * Waiter killed, or gone when its time was over: the name is of an entry that
 * another waiter has, or none; a reclaim gives the slot to the next waiter.
 * Waiter only stopped: after GRANT_TIMEOUT_NS a reclaim does the same, and the
 * waiter no longer asks, until it runs again. The model is
 * tests/models/pool_grant.pml.
 */
#ifndef UNIXIPC_P10_SEMPOOL_GRANT_H
#define UNIXIPC_P10_SEMPOOL_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "p10-sempool/memory.h"

#define GRANT_AFTER_NS 50000000
#define GRANT_TIMEOUT_NS 100000000

/* Give back the slot that has this word. 0, or -EBADMSG: it had it no more, or
 * the semaphore is at its maximum, which no pool has. */
int grant_return(struct sempool_memory *memory, unsigned int slots,
		 unsigned int slot, uint64_t word);

/* For the waiter that has that entry: ask, since when it has waited; and sleep
 * until it is woken, or the deadline. Between the two, look: the first returns
 * what the second wants. */
uint32_t grant_ask(struct sempool_memory *memory, struct entry *waiter,
		   int64_t since_ns);
int grant_sleep(struct entry *waiter, uint32_t wakes, int64_t deadline);
void grant_wake(struct entry *waiter);

/* Take what was granted to the waiter, which has or had this word, for an owner.
 * Returns the slot and *word, or -EAGAIN. */
int grant_take(struct sempool_memory *memory, unsigned int slots,
	       unsigned int waiter, uint64_t waiter_word, uint64_t owner,
	       uint64_t *word);

/* Whether a slot's word is a grant: then *waiter is to whom, or NULL if nobody is
 * there any more. */
bool grant_is(struct sempool_memory *memory, unsigned int slots, uint64_t word,
	      struct entry **waiter);

#endif
