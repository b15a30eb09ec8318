/* cache_turnstile.h - the semaphore that readers who open a cache wait at
 * while there is no whole table.
 *
 * A turnstile (Downey, "The Little Book of Semaphores") and not a mutex:
 * unlocked while its value is greater than 0, and a reader takes 1 and gives it
 * back at once. The server locks it by taking all. A client that dies in
 * between leaves it locked: the server unlocks it when it next looks. It is for
 * this user alone (0600), as a semaphore cannot be waited at without being
 * written.
 */
#ifndef UNIXIPC_P18_RPC_KV_CACHE_TURNSTILE_H
#define UNIXIPC_P18_RPC_KV_CACHE_TURNSTILE_H

#include <semaphore.h>
#include <stdint.h>

/* Make it locked, or take over the one that there is, with all who wait. NULL:
 * there is none to be had; a cache can do without. */
sem_t *cache_turnstile_make(const char *name);

void cache_turnstile_lock(sem_t *turnstile);

/* Unless it is. */
void cache_turnstile_unlock(sem_t *turnstile);

/* Take its name away, and let all go who wait. Each takes NULL for nothing. */
void cache_turnstile_remove(sem_t *turnstile, const char *name);

/* Wait until it is unlocked. 0: also where there is none that is ours;
 * -ETIMEDOUT, -EINTR. */
int cache_turnstile_pass(const char *name, int64_t deadline);

#endif
