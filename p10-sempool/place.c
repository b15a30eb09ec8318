#include "p10-sempool/place.h"

#include <errno.h>
#include <time.h>

#include "lib/tick.h"
#include "p10-sempool/holder.h"

int64_t place_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return tick_from_timespec(now);
}

void place_date(struct place *place)
{
	atomic_store_explicit(&place->since_ns, place_now(),
			      memory_order_relaxed);
}

bool place_pass(struct place *place, uint64_t *word, uint64_t holder)
{
	uint64_t found = *word, next = holder | holder_turn_after(*word);

	if (!atomic_compare_exchange_strong(&place->word, &found, next))
		return false;
	place_date(place);
	*word = next;
	return true;
}

int place_take(struct place *places, unsigned int n, unsigned int first,
	       uint64_t holder, uint64_t *word)
{
	for (unsigned int k = 0, i = first; k < n; k++, i++) {
		uint64_t found;

		if (i >= n)
			i = 0;
		found = atomic_load(&places[i].word);
		if (!holder_process(found) &&
		    place_pass(&places[i], &found, holder)) {
			*word = found;
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
