#include "p10-sempool/entry.h"

#include <errno.h>
#include <time.h>

#include "lib/tick.h"

int64_t entry_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return tick_from_timespec(now);
}

void entry_date(struct entry *entry)
{
	atomic_store_explicit(&entry->since_ns, entry_now(),
			      memory_order_relaxed);
}

bool entry_pass(struct entry *entry, uint64_t *word, uint64_t owner)
{
	uint64_t found = *word, next = owner | entry_generation_after(*word);

	if (!atomic_compare_exchange_strong(&entry->word, &found, next))
		return false;
	entry_date(entry);
	*word = next;
	return true;
}

int entry_take(struct entry *entries, unsigned int n, unsigned int first,
	       uint64_t owner, uint64_t *word)
{
	for (unsigned int k = 0, i = first; k < n; k++, i++) {
		uint64_t found;

		if (i >= n)
			i = 0;
		found = atomic_load(&entries[i].word);
		if (!entry_owner(found) &&
		    entry_pass(&entries[i], &found, owner)) {
			*word = found;
			return (int)i;
		}
	}
	return -EAGAIN;
}

bool entry_release(struct entry *entry, uint64_t word)
{
	return atomic_compare_exchange_strong(&entry->word, &word,
					      word & ENTRY_GENERATIONS);
}

unsigned int entry_count_free(const struct entry *entries, unsigned int n)
{
	unsigned int free = 0;

	for (unsigned int i = 0; i < n; i++)
		free += !entry_owner(atomic_load(&entries[i].word));
	return free;
}
