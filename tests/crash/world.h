/* world.h - a folder as programs see it, and what of it the disk has for sure.
 *
 * world_apply() follows the log. What has changed since the last sync of a file
 * or folder is pending: sectors with what each write left in them, sizes, and
 * names. state.h makes of it what a power cut could leave.
 *
 * This is a test's: when memory is short it ends the process.
 */
#ifndef UNIXIPC_TESTS_CRASH_WORLD_H
#define UNIXIPC_TESTS_CRASH_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/crash/log.h"

#define WORLD_SECTOR 512

/* What a sector held after the write that was record `when`. */
struct world_version {
	uint64_t when;
	uint64_t sector;
	uint8_t bytes[WORLD_SECTOR];
};

struct world_size {
	uint64_t when;
	uint64_t size;
	bool is_cut;
};

/* By number, as the log has it. Bytes beyond a size are zero, up to room. */
struct world_file {
	bool is_dir;
	uint8_t *seen, *synced;
	uint64_t seen_size, synced_size;
	size_t room; /* whole sectors */
	struct world_version *versions;
	size_t n_versions, room_versions;
	struct world_size *sizes;
	size_t n_sizes, room_sizes;
};

struct world_name {
	uint32_t dir, file; /* dir 0: none */
	char name[LOG_NAME];
};

/* Takes a name away, or gives a file a name, or both at once. */
struct world_change {
	uint64_t when;
	struct world_name gone, here;
};

struct world_sync {
	uint64_t when, offset, len;
	uint32_t file;
};

struct world {
	bool lies_of_files, lies_of_names; /* such syncs do nothing */

	struct world_file *files;
	size_t n_files, room_files;
	struct world_name *names; /* synced */
	size_t n_names, room_names;
	struct world_change *changes; /* pending */
	size_t n_changes, room_changes;
	struct world_sync *syncs; /* begun */
	size_t n_syncs, room_syncs;
	uint32_t found; /* was there before: its next sync is not a lie */
};

void world_fini(struct world *world);

/* Follow one record. Returns whether the disk may be in states now that it
 * could not be in before. */
bool world_apply(struct world *world, const struct log_record *record);

/* Set or remove a name in a list: for world->names, and copies of it. */
void world_change_names(struct world_name **names, size_t *n, size_t *room,
			const struct world_change *change);

/* The array with room for one more. */
void *world_grow(void *array, size_t n, size_t *room, size_t size);

#endif
