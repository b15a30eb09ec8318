#include "p18-rpc-kv/cache_turnstile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "lib/objname.h"
#include "lib/tick.h"

enum { TAKEN_MAX = 1 << 16 }; /* to lock it: a client may play with it */

/* Whether there is one that nobody else made for us. */
static bool is_ours(const char *name)
{
	struct objname_entry entry = {.kind = OBJNAME_SEM};

	snprintf(entry.name, sizeof(entry.name), "%s", name);
	return objname_exists(&entry);
}

sem_t *cache_turnstile_make(const char *name)
{
	sem_t *turnstile = sem_open(name, O_CREAT | O_CLOEXEC, 0600, 0);

	if (turnstile == SEM_FAILED)
		return NULL;
	if (!is_ours(name)) {
		sem_close(turnstile);
		return NULL;
	}
	cache_turnstile_lock(turnstile);
	return turnstile;
}

void cache_turnstile_lock(sem_t *turnstile)
{
	for (int i = 0;
	     turnstile && i < TAKEN_MAX && sem_trywait(turnstile) == 0; i++)
		;
}

void cache_turnstile_unlock(sem_t *turnstile)
{
	int value;

	if (turnstile && sem_getvalue(turnstile, &value) == 0 && value <= 0)
		sem_post(turnstile);
}

void cache_turnstile_remove(sem_t *turnstile, const char *name)
{
	if (!turnstile)
		return;
	cache_turnstile_unlock(turnstile);
	sem_close(turnstile);
	if (is_ours(name))
		sem_unlink(name);
}

int cache_turnstile_pass(const char *name, int64_t deadline)
{
	struct timespec until = tick_to_timespec(deadline);
	sem_t *turnstile = is_ours(name) ? sem_open(name, 0) : SEM_FAILED;
	int error = 0;

	if (turnstile == SEM_FAILED)
		return 0;
	if (sem_clockwait(turnstile, CLOCK_MONOTONIC, &until) < 0)
		error = -errno;
	else
		sem_post(turnstile);
	sem_close(turnstile);
	return error;
}
