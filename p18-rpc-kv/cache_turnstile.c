#include "p18-rpc-kv/cache_turnstile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "lib/objname.h"
#include "lib/tick.h"

enum { TAKEN_MAX = 1 << 16 }; /* by one shutting: a client may play with it */

/* Whether there is one that nobody else made for us. */
static bool is_ours(const char *name)
{
	struct objname_entry entry = {.kind = OBJNAME_SEM};

	snprintf(entry.name, sizeof(entry.name), "%s", name);
	return objname_exists(&entry);
}

sem_t *cache_turnstile_make(const char *name)
{
	sem_t *gate = sem_open(name, O_CREAT | O_CLOEXEC, 0600, 0);

	if (gate == SEM_FAILED)
		return NULL;
	if (!is_ours(name)) {
		sem_close(gate);
		return NULL;
	}
	cache_turnstile_shut(gate);
	return gate;
}

void cache_turnstile_shut(sem_t *gate)
{
	for (int i = 0; gate && i < TAKEN_MAX && sem_trywait(gate) == 0; i++)
		;
}

void cache_turnstile_open(sem_t *gate)
{
	int value;

	if (gate && sem_getvalue(gate, &value) == 0 && value <= 0)
		sem_post(gate);
}

void cache_turnstile_remove(sem_t *gate, const char *name)
{
	if (!gate)
		return;
	cache_turnstile_open(gate);
	sem_close(gate);
	if (is_ours(name))
		sem_unlink(name);
}

int cache_turnstile_pass(const char *name, int64_t deadline)
{
	struct timespec until = tick_to_timespec(deadline);
	sem_t *gate = is_ours(name) ? sem_open(name, 0) : SEM_FAILED;
	int error = 0;

	if (gate == SEM_FAILED)
		return 0;
	if (sem_clockwait(gate, CLOCK_MONOTONIC, &until) < 0)
		error = -errno;
	else
		sem_post(gate);
	sem_close(gate);
	return error;
}
