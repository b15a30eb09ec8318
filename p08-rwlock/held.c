/* held.c - see the header. */
#include "p08-rwlock/held.h"

_Thread_local struct held_list held_list;

uint64_t held_number_thread(void)
{
	static uint64_t threads;

	/* Relaxed: that each gets another is all. */
	held_list.self = __atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED);
	return held_list.self;
}

void held_forget_shared(void)
{
	for (unsigned int i = held_list.length; i-- > 0;)
		if (held_list.at[i].is_shared)
			held_remove(&held_list.at[i]);
}
