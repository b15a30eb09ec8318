#include "tests/crash/state.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/rng.h"

void state_fini(struct state *state)
{
	free(state->choices);
	free(state->pick);
	free(state->order);
	free(state->names);
	free(state->pieces);
	free(state->bytes);
	for (size_t i = 0; i < state->n_wild; i++)
		free(state->wild[i].last);
	*state = (struct state){0};
}

/* ---- choices ----------------------------------------------------------------- */

static void add_choice(struct state *state, struct state_choice choice)
{
	state->choices =
		world_grow(state->choices, state->n_choices,
			   &state->room_choices, sizeof(*state->choices));
	state->pick = world_grow(state->pick, state->n_choices,
				 &state->room_pick, sizeof(*state->pick));
	state->pick[state->n_choices] = 0;
	state->choices[state->n_choices++] = choice;
}

static int compare_order(const void *a, const void *b)
{
	const struct state_order *x = a, *y = b;

	if (x->sector != y->sector)
		return x->sector < y->sector ? -1 : 1;
	return x->version < y->version ? -1 : 1;
}

/* Its versions, those of a sector side by side. */
static void list_sectors(struct state *state, uint32_t number)
{
	const struct world_file *file = &state->world->files[number];
	const size_t first = state->n_order;
	struct state_choice choice = {.kind = STATE_SECTOR, .file = number};

	for (size_t i = 0; i < file->n_versions; i++) {
		state->order =
			world_grow(state->order, state->n_order,
				   &state->room_order, sizeof(*state->order));
		state->order[state->n_order++] = (struct state_order){
			.sector = file->versions[i].sector, .version = i};
	}
	if (file->n_versions)
		qsort(state->order + first, file->n_versions,
		      sizeof(*state->order), compare_order);
	for (size_t i = first, next; i < state->n_order; i = next) {
		for (next = i + 1;
		     next < state->n_order &&
		     state->order[next].sector == state->order[i].sector;)
			next++;
		choice.first = i;
		choice.options = (uint32_t)(next - i) + 1;
		add_choice(state, choice);
	}
}

/* Whether a file has a name, or may have one: others nobody can find. */
static bool *list_named(const struct world *world)
{
	bool *named = calloc(world->n_files + 1, sizeof(*named));

	if (!named)
		err(3, "no memory");
	for (size_t i = 0; i < world->n_names; i++)
		named[world->names[i].file] = true;
	for (size_t i = 0; i < world->n_changes; i++)
		named[world->changes[i].here.file] = true;
	return named;
}

void state_list(struct state *state)
{
	const struct world *world = state->world;
	bool *named = list_named(world);

	state->n_choices = state->n_order = 0;
	for (size_t i = 0; i < world->n_changes; i++)
		add_choice(state, (struct state_choice){.kind = STATE_NAME,
							.options = 2,
							.first = i});
	for (uint32_t f = 1; f < world->n_files; f++) {
		const struct world_file *file = &world->files[f];

		if (!named[f])
			continue;
		if (file->n_sizes)
			add_choice(state,
				   (struct state_choice){
					   .kind = STATE_SIZE,
					   .file = f,
					   .options = (uint32_t)file->n_sizes +
						      1});
		list_sectors(state, f);
	}
	free(named);
}

/* When option 1 and the next ones came to be. */
static uint64_t when_of(const struct state *state,
			const struct state_choice *choice, uint32_t option)
{
	const struct world *world = state->world;
	const struct world_file *file = &world->files[choice->file];

	if (choice->kind == STATE_NAME)
		return world->changes[choice->first].when;
	if (choice->kind == STATE_SIZE)
		return file->sizes[option - 1].when;
	return file->versions[state->order[choice->first + option - 1].version]
		.when;
}

void state_pick_until(struct state *state, uint64_t when)
{
	for (size_t i = 0; i < state->n_choices; i++) {
		const struct state_choice *choice = &state->choices[i];
		uint32_t option = choice->options - 1;

		while (option > 0 && when_of(state, choice, option) > when)
			option--;
		state->pick[i] = option;
	}
}

/* ---- bytes ------------------------------------------------------------------- */

static void begin_piece(struct state *state, uint32_t number)
{
	const struct world_file *file = &state->world->files[number];
	struct state_piece *piece = &state->pieces[number];

	piece->start = state->n_bytes;
	piece->len = file->synced_size;
	state->n_bytes += file->room;
	if (state->n_bytes > state->room_bytes) {
		state->room_bytes = 2 * state->n_bytes;
		state->bytes = realloc(state->bytes, state->room_bytes);
		if (!state->bytes)
			err(3, "no memory");
	}
	if (file->room)
		memcpy(state->bytes + piece->start, file->synced, file->room);
}

/* Of a file's size one of the later ones is there, and the cuts before it. */
static void pick_size(struct state *state, const struct state_choice *choice,
		      uint32_t pick)
{
	const struct world_file *file = &state->world->files[choice->file];
	struct state_piece *piece = &state->pieces[choice->file];
	uint8_t *bytes = state->bytes + piece->start;

	for (uint32_t i = 0; i < pick; i++)
		if (file->sizes[i].is_cut)
			memset(bytes + file->sizes[i].size, 0,
			       file->room - file->sizes[i].size);
	if (pick)
		piece->len = file->sizes[pick - 1].size;
}

/* sizes: how many of the file's are there. */
static void pick_sector(struct state *state, const struct state_choice *choice,
			uint32_t pick, uint32_t sizes)
{
	const struct world_file *file = &state->world->files[choice->file];
	const struct world_version *v;
	const struct world_size *size;
	uint64_t start, keep = WORLD_SECTOR;

	if (pick == 0)
		return;
	v = &file->versions[state->order[choice->first + pick - 1].version];
	start = v->sector * WORLD_SECTOR;
	for (size = file->sizes; size < file->sizes + sizes; size++) {
		if (!size->is_cut || size->when < v->when ||
		    size->size >= start + keep)
			continue;
		keep = size->size > start ? size->size - start : 0;
	}
	memcpy(state->bytes + state->pieces[choice->file].start + start,
	       v->bytes, keep);
}

static void pick_names(struct state *state)
{
	const struct world *world = state->world;

	state->n_names = 0;
	for (size_t i = 0; i < world->n_names; i++) {
		state->names =
			world_grow(state->names, state->n_names,
				   &state->room_names, sizeof(*state->names));
		state->names[state->n_names++] = world->names[i];
	}
	/* Their choices come first, in order. */
	for (size_t i = 0; i < world->n_changes; i++)
		if (state->pick[i])
			world_change_names(&state->names, &state->n_names,
					   &state->room_names,
					   &world->changes[i]);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ (hash >> 29);
}

/* In four lanes, as each step of one waits for the step before. */
static uint64_t hash_bytes(const uint8_t *bytes, size_t len)
{
	uint64_t hash = len, words[4], lanes[4] = {1, 2, 3, 4};

	for (; len >= sizeof(words);
	     bytes += sizeof(words), len -= sizeof(words)) {
		memcpy(words, bytes, sizeof(words));
		for (int i = 0; i < 4; i++)
			lanes[i] = mix(lanes[i], words[i]);
	}
	for (; len; bytes++, len--)
		hash = mix(hash, *bytes);
	for (int i = 0; i < 4; i++)
		hash = mix(hash, lanes[i]);
	return hash;
}

/* What of the wild range is within the file of that name: how many bytes. */
static size_t part_of(const struct state_wild *wild, const char *name,
		      size_t len)
{
	if (strcmp(wild->name, name) != 0 || wild->offset >= len)
		return 0;
	return len - wild->offset < wild->len ? len - wild->offset : wild->len;
}

/* Each sector is of zero, or as it was in the end, or anything; but nobody
 * invents what a file begins with. */
static void mix_wild(const struct state_wild *wild, uint8_t *bytes, size_t len,
		     struct rng *rng)
{
	for (size_t i = 0, n; i < len; i += n) {
		uint64_t way = rng_below(rng, wild->offset + i ? 3 : 2);

		n = WORLD_SECTOR - (wild->offset + i) % WORLD_SECTOR;
		if (n > len - i)
			n = len - i;
		if (way == 0)
			memset(bytes + i, 0, n);
		else if (way == 1)
			memcpy(bytes + i, wild->last + i, n);
		else
			rng_fill(rng, bytes + i, n);
	}
}

/* The wild bytes of a file: zero, as in the end, or mixed. */
static void fill_wild(struct state *state, const struct world_name *name,
		      struct rng *rng, uint64_t way)
{
	struct state_piece *piece = &state->pieces[name->file];

	for (size_t i = 0; i < state->n_wild; i++) {
		const struct state_wild *wild = &state->wild[i];
		size_t len = part_of(wild, name->name, piece->len);
		uint8_t *bytes = state->bytes + piece->start + wild->offset;

		if (len && way == 0)
			memset(bytes, 0, len);
		else if (len && way == 1)
			memcpy(bytes, wild->last, len);
		else if (len)
			mix_wild(wild, bytes, len, rng);
	}
}

void state_load_wild(struct state *state, int dir)
{
	for (size_t i = 0; i < state->n_wild; i++) {
		struct state_wild *wild = &state->wild[i];
		int fd = openat(dir, wild->name, O_RDONLY | O_CLOEXEC);

		wild->last = calloc(1, wild->len);
		if (!wild->last)
			err(3, "no memory");
		if (fd >= 0 &&
		    pread(fd, wild->last, wild->len, (off_t)wild->offset) < 0)
			err(3, "cannot read %s", wild->name);
		if (fd >= 0)
			close(fd);
	}
}

static uint64_t hash_name(struct state *state, const struct world_name *name)
{
	const struct state_piece *piece = &state->pieces[name->file];
	uint64_t hash =
		hash_bytes((const uint8_t *)name->name, strlen(name->name));

	hash = mix(hash, name->dir);
	if (state->world->files[name->file].is_dir)
		return mix(hash, name->file);
	return mix(hash, hash_bytes(state->bytes + piece->start, piece->len));
}

uint64_t state_compose(struct state *state)
{
	const struct world *world = state->world;
	uint64_t hash = 0;
	uint32_t sizes = 0, last = 0;

	pick_names(state);
	while (state->room_pieces < world->n_files)
		state->pieces =
			world_grow(state->pieces, state->room_pieces,
				   &state->room_pieces, sizeof(*state->pieces));
	memset(state->pieces, 0, world->n_files * sizeof(*state->pieces));
	state->n_bytes = 0;
	for (size_t i = 0; i < state->n_names; i++)
		if (!state->pieces[state->names[i].file].is_named) {
			state->pieces[state->names[i].file].is_named = true;
			begin_piece(state, state->names[i].file);
		}
	for (size_t i = 0; i < state->n_choices; i++) {
		const struct state_choice *choice = &state->choices[i];

		if (choice->kind == STATE_NAME ||
		    !state->pieces[choice->file].is_named)
			continue;
		if (choice->file != last)
			sizes = 0;
		last = choice->file;
		if (choice->kind == STATE_SIZE)
			pick_size(state, choice, sizes = state->pick[i]);
		else
			pick_sector(state, choice, state->pick[i], sizes);
	}
	for (size_t i = 0; i < state->n_names; i++) {
		fill_wild(state, &state->names[i], NULL, 0);
		hash += hash_name(state, &state->names[i]);
	}
	return hash;
}

/* ---- the folder -------------------------------------------------------------- */

static void write_file(struct state *state, int dir,
		       const struct world_name *name)
{
	struct state_piece *piece = &state->pieces[name->file];
	int fd = openat(dir, name->name,
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 ||
	    fdio_write_full(fd, state->bytes + piece->start, piece->len) != 0)
		err(3, "cannot write %s", name->name);
	close(fd);
}

static void write_names(struct state *state, int dir, uint32_t number,
			struct rng *rng, uint64_t way)
{
	for (size_t i = 0; i < state->n_names; i++) {
		const struct world_name *name = &state->names[i];
		int sub;

		if (name->dir != number)
			continue;
		if (!state->world->files[name->file].is_dir) {
			fill_wild(state, name, rng, way);
			write_file(state, dir, name);
			continue;
		}
		if (mkdirat(dir, name->name, 0700) < 0)
			err(3, "cannot make %s", name->name);
		sub = openat(dir, name->name,
			     O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (sub < 0)
			err(3, "cannot open %s", name->name);
		write_names(state, sub, name->file, rng, way);
		close(sub);
	}
}

void state_write(struct state *state, int dir, uint64_t seed)
{
	struct rng rng;

	rng_seed(&rng, seed);
	write_names(state, dir, LOG_ROOT, &rng, seed % 3);
}

/* ---- comparing --------------------------------------------------------------- */

static bool file_is_like(struct state *state, int dir,
			 const struct world_name *name)
{
	const struct state_piece *piece = &state->pieces[name->file];
	uint8_t *bytes = malloc(piece->len + 1);
	int fd = openat(dir, name->name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 || !bytes
			    ? -1
			    : fdio_read_full(fd, bytes, piece->len + 1);
	bool is_like = n == (ssize_t)piece->len;

	for (size_t i = 0; is_like && i < state->n_wild; i++) {
		const struct state_wild *wild = &state->wild[i];
		size_t len = part_of(wild, name->name, piece->len);

		if (len)
			memset(bytes + wild->offset, 0, len);
	}
	is_like = is_like &&
		  memcmp(bytes, state->bytes + piece->start, piece->len) == 0;
	free(bytes);
	if (fd >= 0)
		close(fd);
	return is_like;
}

static size_t count_entries(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	size_t n = 0;

	if (!stream)
		err(3, "cannot read the folder");
	while ((entry = readdir(stream)))
		n += strcmp(entry->d_name, ".") != 0 &&
		     strcmp(entry->d_name, "..") != 0;
	closedir(stream);
	return n;
}

static bool names_are_like(struct state *state, int dir, uint32_t number,
			   char *why, size_t size)
{
	size_t n = 0;
	bool is_like = true;

	for (size_t i = 0; is_like && i < state->n_names; i++) {
		const struct world_name *name = &state->names[i];
		int sub;

		if (name->dir != number)
			continue;
		n++;
		if (state->world->files[name->file].is_dir) {
			sub = openat(dir, name->name,
				     O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			is_like = sub >= 0 &&
				  names_are_like(state, sub, name->file, why,
						 size);
			if (sub >= 0)
				close(sub);
		} else if (!file_is_like(state, dir, name)) {
			snprintf(why, size, "%s is not as it was recorded",
				 name->name);
			is_like = false;
		}
	}
	if (is_like && n != count_entries(dir)) {
		snprintf(why, size, "%zu names were recorded and %zu are there",
			 n, count_entries(dir));
		is_like = false;
	}
	return is_like;
}

bool state_is_like(struct state *state, int dir, char *why, size_t size)
{
	snprintf(why, size, "a folder is missing");
	return names_are_like(state, dir, LOG_ROOT, why, size);
}
