#include "p08-rwlock/cmd/exclusion.h"

/* All orders relaxed, so that the check helps no lock to look better than it
 * is: a counter may be read late, but then the halves disagree. */

static void note_most(struct exclusion *exclusion, unsigned int readers)
{
	unsigned int most = atomic_load_explicit(&exclusion->readers_most,
						 memory_order_relaxed);

	while (readers > most &&
	       !atomic_compare_exchange_weak_explicit(
		       &exclusion->readers_most, &most, readers,
		       memory_order_relaxed, memory_order_relaxed))
		;
}

static bool is_empty_of(const atomic_uint *count)
{
	return atomic_load_explicit(count, memory_order_relaxed) == 0;
}

bool exclusion_enter(struct exclusion *exclusion, bool is_writer)
{
	atomic_uint *own =
		is_writer ? &exclusion->writers : &exclusion->readers;
	unsigned int others =
		atomic_fetch_add_explicit(own, 1, memory_order_relaxed);
	bool is_right;

	if (!is_writer) {
		note_most(exclusion, others + 1);
		return is_empty_of(&exclusion->writers) &&
		       exclusion->half == exclusion->other_half;
	}
	is_right = others == 0 && is_empty_of(&exclusion->readers) &&
		   exclusion->half == exclusion->other_half;
	exclusion->half++;
	return is_right;
}

bool exclusion_leave(struct exclusion *exclusion, bool is_writer)
{
	bool is_right;

	if (!is_writer) {
		is_right = is_empty_of(&exclusion->writers) &&
			   exclusion->half == exclusion->other_half;
		atomic_fetch_sub_explicit(&exclusion->readers, 1,
					  memory_order_relaxed);
		return is_right;
	}
	exclusion->other_half++;
	is_right = is_empty_of(&exclusion->readers) &&
		   exclusion->half == exclusion->other_half;
	return atomic_fetch_sub_explicit(&exclusion->writers, 1,
					 memory_order_relaxed) == 1 &&
	       is_right;
}
