/* state.h - a folder as a power cut could leave it.
 *
 *	a sector (512 bytes) as the last sync left it, or as any later write to
 *	it did, each sector for itself;
 *	a file's size as the last sync left it, or any later size; what a cut
 *	took off is gone when its size is there;
 *	a name that was made, removed or changed is so, or not yet, each for
 *	itself; a rename is one change, which its new folder has to sync.
 *
 * Each of those is a choice: option 0 is as it was synced, the last option as
 * programs see it. A state is one option picked for each choice.
 */
#ifndef UNIXIPC_TESTS_CRASH_STATE_H
#define UNIXIPC_TESTS_CRASH_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/crash/world.h"

/* Bytes of a file that are written through a mapping, where no recorder sees
 * it. */
struct state_wild {
	char name[LOG_NAME];
	uint64_t offset, len;
	uint8_t *last; /* as they were in the end */
};
#define STATE_WILD 32

enum state_kind { STATE_SIZE, STATE_SECTOR, STATE_NAME };
struct state_choice {
	enum state_kind kind;
	uint32_t options, file;
	size_t first; /* in order[], or which change of a name */
};

/* Bytes of a file, from start on. */
struct state_piece {
	bool is_named;
	size_t start, len;
};

struct state {
	const struct world *world;
	struct state_wild wild[STATE_WILD];
	size_t n_wild;

	struct state_choice *choices;
	uint32_t *pick; /* an option for each; the caller's to set */
	size_t n_choices, room_choices, room_pick;
	struct state_order {
		uint64_t sector;
		size_t version;
	} * order;
	size_t n_order, room_order;

	struct world_name *names;
	size_t n_names, room_names;
	struct state_piece *pieces; /* by number of the file */
	size_t n_pieces, room_pieces;
	uint8_t *bytes;
	size_t n_bytes, room_bytes;
};

void state_fini(struct state *state);

/* What is undecided in the world now: choices[], and room in pick[]. */
void state_list(struct state *state);

/* Pick all that happened up to a record, and nothing later. */
void state_pick_until(struct state *state, uint64_t when);

/* Make what pick[] says. Returns a hash of all names and bytes. */
uint64_t state_compose(struct state *state);

/* Remember the wild bytes as they are in a folder now; before the others. */
void state_load_wild(struct state *state, int dir);

/* Put it into an empty folder. With seed 0, 3, 6 … wild bytes are zero, with 1,
 * 4, 7 … as they were in the end, with the others each sector is something of
 * that or random. Ends the process when it cannot be written. */
void state_write(struct state *state, int dir, uint64_t seed);

/* Whether a folder holds just that, wild bytes aside; if not, why is the first
 * difference. */
bool state_is_like(struct state *state, int dir, char *why, size_t size);

#endif
