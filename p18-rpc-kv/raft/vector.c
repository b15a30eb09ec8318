/* vector.c - arrays that grow, by half of what they are. */
#include "p18-rpc-kv/raft/vector.h"

#include <stdlib.h>

void *vector_reserve(void *items, size_t *room, size_t wanted, size_t size)
{
	const size_t more = *room + *room / 2 + 8;
	void *grown;

	if (items && wanted <= *room)
		return items;
	if (wanted < more)
		wanted = more;
	grown = reallocarray(items, wanted, size);
	if (grown)
		*room = wanted;
	return grown;
}
