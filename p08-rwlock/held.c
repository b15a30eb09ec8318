/* held.c - what a thread holds is seldom more than a few locks, and the last
 * one taken is the first one given back: a list that is searched from its
 * end. A forked child is another owner of what processes share, and goes on
 * with what it alone has a copy of. */
#include "p08-rwlock/held.h"

_Thread_local struct held_list held_list;

struct held *held_find(const struct myrwlock *lock)
{
	const struct held_sole sole = held_list.sole;

	if (sole.lock) {
		held_list.sole.lock = NULL;
		held_list.at[held_list.length++] = (struct held){
			.lock = sole.lock,
			.born = sole.born,
			.count = 1,
			.how = (uint16_t)sole.how,
		};
	}
	for (unsigned int i = held_list.length; i-- > 0;)
		if (held_list.at[i].lock == lock &&
		    held_list.at[i].born == lock->born)
			return &held_list.at[i];
	return NULL;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_error;

static void forget_shared(void)
{
	for (unsigned int i = held_list.length; i-- > 0;)
		if (held_list.at[i].is_shared)
			held_remove(&held_list.at[i]);
}

static void watch_forks(void)
{
	once_error = pthread_atfork(NULL, NULL, forget_shared);
}

int held_make_room(const struct myrwlock *lock)
{
	if (lock->is_shared) {
		pthread_once(&once, watch_forks);
		if (once_error)
			return EAGAIN;
	}
	return held_list.length < MYRWLOCK_HELD_MAX ? 0 : EAGAIN;
}
