#include "p10-sempool/place.h"

#include <errno.h>
#include <time.h>

#include "lib/tick.h"
#include "p10-sempool/holder.h"

/* The clock of the last timer interrupt: it is for people, and the exact one
 * would be half the cost of an acquire. */
static int64_t coarse_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return tick_from_timespec(now);
}

int place_take(struct place *places, unsigned int n, unsigned int first,
	       uint64_t holder, uint64_t *word)
{
	for (unsigned int k = 0, i = first; k < n; k++, i++) {
		struct place *place;
		uint64_t found, turn;

		if (i >= n)
			i = 0;
		place = &places[i];
		found = atomic_load(&place->word);
		if (holder_process(found))
			continue;
		/* The turn tells this holding from the same process's last. */
		turn = (found + 1) & HOLDER_TURNS;
		*word = holder | turn;
		if (atomic_compare_exchange_strong(&place->word, &found,
						   *word)) {
			atomic_store_explicit(&place->since_ns, coarse_now(),
					      memory_order_relaxed);
			return (int)i;
		}
	}
	return -EAGAIN;
}

bool place_leave(struct place *place, uint64_t word)
{
	return atomic_compare_exchange_strong(&place->word, &word,
					      word & HOLDER_TURNS);
}

unsigned int place_count_free(const struct place *places, unsigned int n)
{
	unsigned int free = 0;

	for (unsigned int i = 0; i < n; i++)
		free += !holder_process(atomic_load(&places[i].word));
	return free;
}
