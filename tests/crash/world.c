/* world.c - a file is two images, seen and synced, and between them the list of
 * what is pending, oldest first. A sync moves its beginning into synced. */
#include "tests/crash/world.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

void *world_grow(void *array, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return array;
	*room = *room ? 2 * *room : 16;
	array = reallocarray(array, *room, size);
	if (!array)
		err(3, "no memory");
	return array;
}

/* ---- files ------------------------------------------------------------------- */

static struct world_file *file_of(struct world *world, uint32_t number)
{
	while (world->n_files <= number) {
		world->files =
			world_grow(world->files, world->n_files,
				   &world->room_files, sizeof(*world->files));
		world->files[world->n_files++] = (struct world_file){0};
	}
	return &world->files[number];
}

static void make_room(struct world_file *file, uint64_t size)
{
	size_t room =
		(size_t)(size + WORLD_SECTOR - 1) / WORLD_SECTOR * WORLD_SECTOR;

	if (room <= file->room)
		return;
	if (room < 2 * file->room)
		room = 2 * file->room;
	file->seen = realloc(file->seen, room);
	file->synced = realloc(file->synced, room);
	if (!file->seen || !file->synced)
		err(3, "no memory");
	memset(file->seen + file->room, 0, room - file->room);
	memset(file->synced + file->room, 0, room - file->room);
	file->room = room;
}

static void add_version(struct world_file *file, uint64_t when, uint64_t sector)
{
	struct world_version *version;

	file->versions =
		world_grow(file->versions, file->n_versions,
			   &file->room_versions, sizeof(*file->versions));
	version = &file->versions[file->n_versions++];
	version->when = when;
	version->sector = sector;
	memcpy(version->bytes, file->seen + sector * WORLD_SECTOR,
	       WORLD_SECTOR);
}

static void set_size(struct world_file *file, uint64_t when, uint64_t size)
{
	const bool is_cut = size < file->seen_size;

	if (size == file->seen_size)
		return;
	make_room(file, size);
	file->sizes = world_grow(file->sizes, file->n_sizes, &file->room_sizes,
				 sizeof(*file->sizes));
	file->sizes[file->n_sizes++] = (struct world_size){
		.when = when, .size = size, .is_cut = is_cut};
	if (is_cut) {
		memset(file->seen + size, 0, file->room - size);
		if (size % WORLD_SECTOR)
			add_version(file, when, size / WORLD_SECTOR);
	}
	file->seen_size = size;
}

/* bytes NULL: zero. A sector that a write leaves as it was needs no version. */
static void write_bytes(struct world_file *file, uint64_t when, uint64_t offset,
			const uint8_t *bytes, uint64_t len)
{
	const uint64_t end = offset + len;
	uint64_t from, to;
	uint8_t old[WORLD_SECTOR];

	make_room(file, end);
	for (uint64_t s = offset / WORLD_SECTOR; s * WORLD_SECTOR < end; s++) {
		uint8_t *sector = file->seen + s * WORLD_SECTOR;

		from = s * WORLD_SECTOR < offset ? offset : s * WORLD_SECTOR;
		to = (s + 1) * WORLD_SECTOR > end ? end
						  : (s + 1) * WORLD_SECTOR;
		memcpy(old, sector, WORLD_SECTOR);
		if (bytes)
			memcpy(file->seen + from, bytes + (from - offset),
			       to - from);
		else
			memset(file->seen + from, 0, to - from);
		if (memcmp(old, sector, WORLD_SECTOR) != 0)
			add_version(file, when, s);
	}
	if (end > file->seen_size)
		set_size(file, when, end);
}

/* ---- names ------------------------------------------------------------------- */

static struct world_name *find_name(struct world_name *names, size_t n,
				    const struct world_name *like)
{
	for (size_t i = 0; i < n; i++)
		if (names[i].dir == like->dir &&
		    strcmp(names[i].name, like->name) == 0)
			return &names[i];
	return NULL;
}

void world_change_names(struct world_name **names, size_t *n, size_t *room,
			const struct world_change *change)
{
	struct world_name *place;

	if (change->gone.dir && (place = find_name(*names, *n, &change->gone)))
		*place = (*names)[--*n];
	if (!change->here.dir)
		return;
	place = find_name(*names, *n, &change->here);
	if (!place) {
		*names = world_grow(*names, *n, room, sizeof(**names));
		place = &(*names)[(*n)++];
	}
	*place = change->here;
}

static struct world_name name_in(uint32_t dir, uint32_t file, const char *name)
{
	struct world_name made = {.dir = dir, .file = file};

	memcpy(made.name, name, sizeof(made.name));
	return made;
}

static void add_change(struct world *world, const struct log_record *record)
{
	struct world_change change = {.when = record->number};

	switch (record->kind) {
	case LOG_UNLINK:
		change.gone = name_in(record->dir, 0, record->name);
		break;
	case LOG_RENAME:
		change.gone = name_in(record->dir, 0, record->name);
		change.here =
			name_in(record->dir2, record->file, record->name2);
		break;
	default:
		change.here = name_in(record->dir, record->file, record->name);
	}
	if (record->kind == LOG_FOUND) {
		world_change_names(&world->names, &world->n_names,
				   &world->room_names, &change);
	} else if (change.gone.dir || change.here.dir) {
		world->changes = world_grow(world->changes, world->n_changes,
					    &world->room_changes,
					    sizeof(*world->changes));
		world->changes[world->n_changes++] = change;
	}
}

/* ---- syncs ------------------------------------------------------------------- */

/* Nothing older than a cut is left behind it. */
static size_t sync_size(struct world_file *file, const struct world_size *size,
			size_t left)
{
	size_t n = 0;

	file->synced_size = size->size;
	if (!size->is_cut)
		return left;
	memset(file->synced + size->size, 0, file->room - size->size);
	for (size_t i = 0; i < left; i++)
		if (file->versions[i].sector * WORLD_SECTOR < size->size)
			file->versions[n++] = file->versions[i];
	return n;
}

static void sync_file(struct world_file *file, const struct world_sync *sync)
{
	const struct world_size *size = file->sizes;
	const struct world_size *last = size + file->n_sizes;
	size_t left = 0;

	for (size_t i = 0; i < file->n_versions; i++) {
		const struct world_version *v = &file->versions[i];
		const uint64_t start = v->sector * WORLD_SECTOR;

		while (size < last && size->when < sync->when &&
		       size->when < v->when)
			left = sync_size(file, size++, left);
		if (v->when < sync->when &&
		    start + WORLD_SECTOR > sync->offset &&
		    (sync->len == UINT64_MAX ||
		     start < sync->offset + sync->len))
			memcpy(file->synced + start, v->bytes, WORLD_SECTOR);
		else
			file->versions[left++] = *v;
	}
	while (size < last && size->when < sync->when)
		left = sync_size(file, size++, left);
	file->n_versions = left;
	file->n_sizes = (size_t)(last - size);
	if (file->n_sizes)
		memmove(file->sizes, size, file->n_sizes * sizeof(*size));
}

/* Of one folder, or of all (0). */
static void sync_names(struct world *world, uint32_t dir, uint64_t when)
{
	size_t left = 0;

	for (size_t i = 0; i < world->n_changes; i++) {
		const struct world_change *c = &world->changes[i];
		uint32_t owner = c->here.dir ? c->here.dir : c->gone.dir;

		if (c->when < when && (!dir || dir == owner))
			world_change_names(&world->names, &world->n_names,
					   &world->room_names, c);
		else
			world->changes[left++] = *c;
	}
	world->n_changes = left;
}

static void sync_begins(struct world *world, const struct log_record *record)
{
	world->syncs = world_grow(world->syncs, world->n_syncs,
				  &world->room_syncs, sizeof(*world->syncs));
	world->syncs[world->n_syncs++] = (struct world_sync){
		.when = record->number,
		.offset = record->offset,
		.len = record->len,
		.file = record->file,
	};
}

static bool sync_ends(struct world *world, uint64_t when)
{
	struct world_sync sync = {.when = when};
	bool is_found, is_dir;
	size_t i = world->n_syncs;

	while (i > 0 && world->syncs[i - 1].when != when)
		i--;
	if (i == 0)
		errx(3, "the log has the end of a sync that never began");
	sync = world->syncs[i - 1];
	world->syncs[i - 1] = world->syncs[--world->n_syncs];
	is_found = world->found && sync.file == world->found;
	is_dir = sync.file == LOG_ROOT || file_of(world, sync.file)->is_dir;
	if (!world->lies_of_names && (is_dir || !sync.file))
		sync_names(world, sync.file, when);
	if (!world->lies_of_files || is_found)
		for (size_t f = 0; f < world->n_files; f++)
			if (!sync.file || f == sync.file)
				sync_file(&world->files[f], &sync);
	if (is_found)
		world->found = 0;
	return false;
}

/* ---- records ----------------------------------------------------------------- */

bool world_apply(struct world *world, const struct log_record *record)
{
	struct world_file *file = file_of(world, record->file);
	const uint8_t *payload = (const uint8_t *)(record + 1);

	switch ((enum log_kind)record->kind) {
	case LOG_NOTHING:
		return false;
	case LOG_SAID:
		return true;
	case LOG_FOUND:
	case LOG_MAKE:
	case LOG_MAKE_DIR:
		file->is_dir = record->kind == LOG_MAKE_DIR ||
			       (record->kind == LOG_FOUND && record->len);
		if (record->kind == LOG_FOUND && record->offset)
			world->found = record->file;
		add_change(world, record);
		return record->kind != LOG_FOUND;
	case LOG_LINK:
	case LOG_UNLINK:
	case LOG_RENAME:
		add_change(world, record);
		return true;
	case LOG_WRITE:
		write_bytes(file, record->number, record->offset, payload,
			    record->len);
		/* Nobody has written what was there before. */
		return record->file != world->found;
	case LOG_ZERO:
		if (record->offset < file->seen_size)
			write_bytes(file, record->number, record->offset, NULL,
				    record->offset + record->len <
						    file->seen_size
					    ? record->len
					    : file->seen_size - record->offset);
		return true;
	case LOG_SIZE:
		set_size(file, record->number, record->len);
		return true;
	case LOG_GROW:
		if (record->len > file->seen_size)
			set_size(file, record->number, record->len);
		return true;
	case LOG_SYNC:
		sync_begins(world, record);
		return false;
	case LOG_SYNCED:
		return sync_ends(world, record->of);
	case LOG_LOST:
		errx(3, "the recorder lost track: %s", payload);
	}
	errx(3, "the log has a record of unknown kind %u", record->kind);
}

void world_fini(struct world *world)
{
	for (size_t i = 0; i < world->n_files; i++) {
		free(world->files[i].seen);
		free(world->files[i].synced);
		free(world->files[i].versions);
		free(world->files[i].sizes);
	}
	free(world->files);
	free(world->names);
	free(world->changes);
	free(world->syncs);
	*world = (struct world){0};
}
