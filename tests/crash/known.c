#include "tests/crash/known.h"

#include <err.h>
#include <stdlib.h>

static bool put(uint64_t *hashes, size_t room, uint64_t hash)
{
	size_t i = (size_t)(hash * UINT64_C(0x9e3779b97f4a7c15)) & (room - 1);

	while (hashes[i] && hashes[i] != hash)
		i = (i + 1) & (room - 1);
	if (hashes[i])
		return false;
	hashes[i] = hash;
	return true;
}

static void grow(struct known *known)
{
	size_t room = known->room ? 2 * known->room : 4096;
	uint64_t *grown = calloc(room, sizeof(*grown));

	if (!grown)
		err(3, "no memory");
	for (size_t i = 0; i < known->room; i++)
		if (known->hashes[i])
			put(grown, room, known->hashes[i]);
	free(known->hashes);
	known->hashes = grown;
	known->room = room;
}

bool known_add(struct known *known, uint64_t hash, uint64_t said)
{
	hash = (hash ^ said * UINT64_C(0xd6e8feb86659fd93)) | 1;
	if (2 * known->n >= known->room)
		grow(known);
	if (!put(known->hashes, known->room, hash))
		return false;
	known->n++;
	return true;
}

void known_fini(struct known *known)
{
	free(known->hashes);
	*known = (struct known){0};
}
