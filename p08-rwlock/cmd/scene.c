#include "p08-rwlock/cmd/scene.h"

/* All orders relaxed, so that the scene helps no lock to look better than it
 * is: a counter may be read late, but then the halves disagree. */

static void note_most(struct scene *scene, unsigned int readers)
{
	unsigned int most = atomic_load_explicit(&scene->readers_most,
						 memory_order_relaxed);

	while (readers > most &&
	       !atomic_compare_exchange_weak_explicit(
		       &scene->readers_most, &most, readers,
		       memory_order_relaxed, memory_order_relaxed))
		;
}

static bool is_empty_of(const atomic_uint *count)
{
	return atomic_load_explicit(count, memory_order_relaxed) == 0;
}

bool scene_enter(struct scene *scene, bool is_writer)
{
	atomic_uint *own = is_writer ? &scene->writers : &scene->readers;
	unsigned int others =
		atomic_fetch_add_explicit(own, 1, memory_order_relaxed);
	bool is_right;

	if (!is_writer) {
		note_most(scene, others + 1);
		return is_empty_of(&scene->writers) &&
		       scene->half == scene->other_half;
	}
	is_right = others == 0 && is_empty_of(&scene->readers) &&
		   scene->half == scene->other_half;
	scene->half++;
	return is_right;
}

bool scene_leave(struct scene *scene, bool is_writer)
{
	bool is_right;

	if (!is_writer) {
		is_right = is_empty_of(&scene->writers) &&
			   scene->half == scene->other_half;
		atomic_fetch_sub_explicit(&scene->readers, 1,
					  memory_order_relaxed);
		return is_right;
	}
	scene->other_half++;
	is_right = is_empty_of(&scene->readers) &&
		   scene->half == scene->other_half;
	return atomic_fetch_sub_explicit(&scene->writers, 1,
					 memory_order_relaxed) == 1 &&
	       is_right;
}
