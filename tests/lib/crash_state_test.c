/* What the harness of the power-cut tests takes for possible, and what not. */
#include "tests/crash/state.h"

#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

#include "tests/crash/pick.h"

enum { FOLDER = LOG_ROOT, FILE_ONE, FILE_TWO };

static struct world world;
static struct state state;
static uint64_t records;

static int setup(void **unused)
{
	(void)unused;
	records = 0;
	state.world = &world;
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	state_fini(&state);
	world_fini(&world);
	return 0;
}

/* ---- a log ------------------------------------------------------------------- */

/* Returns the record's number. */
static uint64_t add(struct log_record record, const void *bytes)
{
	/* Of a sync, len is a range, and nothing follows. */
	const size_t payload = bytes ? record.len : 0;
	struct log_record *whole = malloc(sizeof(record) + payload);

	assert_non_null(whole);
	record.number = records++;
	*whole = record;
	if (bytes)
		memcpy(whole + 1, bytes, payload);
	world_apply(&world, whole);
	free(whole);
	return record.number;
}

static void make(uint32_t file, const char *name)
{
	struct log_record record = {
		.kind = LOG_MAKE, .file = file, .dir = FOLDER};

	strncpy(record.name, name, sizeof(record.name) - 1);
	add(record, NULL);
}

static void rename_to(uint32_t file, const char *name, const char *name2)
{
	struct log_record record = {.kind = LOG_RENAME,
				    .file = file,
				    .dir = FOLDER,
				    .dir2 = FOLDER};

	strncpy(record.name, name, sizeof(record.name) - 1);
	strncpy(record.name2, name2, sizeof(record.name2) - 1);
	add(record, NULL);
}

static void put(uint32_t file, uint64_t offset, char c, size_t len)
{
	char bytes[4096];

	memset(bytes, c, len);
	add((struct log_record){.kind = LOG_WRITE,
				.file = file,
				.offset = offset,
				.len = len},
	    bytes);
}

static void set_size(uint32_t file, uint64_t size)
{
	add((struct log_record){.kind = LOG_SIZE, .file = file, .len = size},
	    NULL);
}

static uint64_t sync_begins(uint32_t file, uint64_t offset, uint64_t len)
{
	return add((struct log_record){.kind = LOG_SYNC,
				       .file = file,
				       .offset = offset,
				       .len = len},
		   NULL);
}

static void sync_ends(uint32_t file, uint64_t number)
{
	add((struct log_record){.kind = LOG_SYNCED, .file = file, .of = number},
	    NULL);
}

static void sync_all(uint32_t file)
{
	sync_ends(file, sync_begins(file, 0, UINT64_MAX));
}

/* ---- a state ----------------------------------------------------------------- */

static uint64_t combinations(void)
{
	state_list(&state);
	return pick_combinations(&state);
}

/* The file of that name in a state: its length, or -1, and its bytes. */
static int look(uint64_t number, const char *name, const char **bytes)
{
	state_list(&state);
	pick_number(&state, number, records, 1);
	state_compose(&state);
	for (size_t i = 0; i < state.n_names; i++) {
		const struct world_name *there = &state.names[i];
		const struct state_piece *piece = &state.pieces[there->file];

		if (strcmp(there->name, name) != 0)
			continue;
		*bytes = (const char *)state.bytes + piece->start;
		return (int)piece->len;
	}
	*bytes = NULL;
	return -1;
}

static bool is_all(const char *bytes, char c, size_t len)
{
	for (size_t i = 0; bytes && i < len; i++)
		if (bytes[i] != c)
			return false;
	return bytes != NULL;
}

/* ---- cases ------------------------------------------------------------------- */

static void nothing_is_there_that_was_not_synced(void **unused)
{
	const char *bytes;

	(void)unused;
	make(FILE_ONE, "one");
	put(FILE_ONE, 0, 'a', 100);
	assert_int_equal(look(PICK_NOTHING, "one", &bytes), -1);
	assert_int_equal(look(PICK_ALL, "one", &bytes), 100);
	sync_all(FILE_ONE); /* does not save the name */
	assert_int_equal(look(PICK_NOTHING, "one", &bytes), -1);
	sync_all(FOLDER);
	assert_int_equal(look(PICK_NOTHING, "one", &bytes), 100);
	assert_true(is_all(bytes, 'a', 100));
	assert_int_equal(combinations(), 1);
}

static void a_write_that_comes_during_a_sync_is_not_covered(void **unused)
{
	const char *bytes;
	uint64_t sync;

	(void)unused;
	make(FILE_ONE, "one");
	sync_all(FOLDER);
	put(FILE_ONE, 0, 'a', 512);
	sync = sync_begins(FILE_ONE, 0, UINT64_MAX);
	put(FILE_ONE, 512, 'b', 512);
	put(FILE_ONE, 0, 'c', 10);
	assert_int_equal(look(PICK_NOTHING, "one", &bytes), 0);
	sync_ends(FILE_ONE, sync);
	assert_int_equal(look(PICK_NOTHING, "one", &bytes), 512);
	assert_true(is_all(bytes, 'a', 512));
	assert_int_equal(look(PICK_ALL, "one", &bytes), 1024);
	assert_true(is_all(bytes, 'c', 10) && is_all(bytes + 512, 'b', 512));
}

static void a_sync_of_a_range_covers_no_other(void **unused)
{
	const char *bytes;

	(void)unused;
	make(FILE_ONE, "one");
	sync_all(FOLDER);
	put(FILE_ONE, 0, 'a', 1024);
	sync_ends(FILE_ONE, sync_begins(FILE_ONE, 512, 512));
	assert_int_equal(look(PICK_NOTHING, "one", &bytes), 1024);
	assert_true(is_all(bytes, '\0', 512) && is_all(bytes + 512, 'a', 512));
}

static void a_sector_is_what_some_write_has_left_and_no_mixture(void **unused)
{
	const char *bytes;
	int seen[3] = {0};

	(void)unused;
	make(FILE_ONE, "one");
	put(FILE_ONE, 0, 'a', 512);
	sync_all(FILE_ONE);
	sync_all(FOLDER);
	put(FILE_ONE, 0, 'b', 512);
	put(FILE_ONE, 0, 'c', 512);
	put(FILE_ONE, 0, 'c', 512); /* changes nothing */
	assert_int_equal(combinations(), 3);
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(look(PICK_COMBINATION + i, "one", &bytes),
				 512);
		assert_true(is_all(bytes, bytes[0], 512));
		seen[bytes[0] - 'a']++;
	}
	assert_true(seen[0] == 1 && seen[1] == 1 && seen[2] == 1);
}

static void sectors_of_one_write_are_there_or_not_each_for_itself(void **unused)
{
	const char *bytes;
	unsigned int seen = 0;

	(void)unused;
	make(FILE_ONE, "one");
	set_size(FILE_ONE, 1536);
	sync_all(FILE_ONE);
	sync_all(FOLDER);
	put(FILE_ONE, 0, 'a', 1536);
	assert_int_equal(combinations(), 8);
	for (uint64_t i = 0; i < 8; i++) {
		look(PICK_COMBINATION + i, "one", &bytes);
		seen |= 1U << ((bytes[0] ? 1 : 0) + (bytes[512] ? 2 : 0) +
			       (bytes[1024] ? 4 : 0));
	}
	assert_int_equal(seen, 0xff);
}

static void a_rename_is_one_change(void **unused)
{
	const char *old, *aside;

	(void)unused;
	make(FILE_ONE, "name");
	put(FILE_ONE, 0, 'a', 10);
	make(FILE_TWO, "aside");
	put(FILE_TWO, 0, 'b', 20);
	sync_all(FILE_ONE);
	sync_all(FILE_TWO);
	sync_all(FOLDER);
	rename_to(FILE_TWO, "aside", "name");
	assert_int_equal(combinations(), 2);
	assert_int_equal(look(PICK_NOTHING, "name", &old), 10);
	assert_int_equal(look(PICK_NOTHING, "aside", &aside), 20);
	assert_int_equal(look(PICK_ALL, "name", &old), 20);
	assert_int_equal(look(PICK_ALL, "aside", &aside), -1);
}

static void what_was_cut_off_does_not_come_back_with_a_later_size(void **unused)
{
	const char *bytes;
	int len;

	(void)unused;
	make(FILE_ONE, "one");
	put(FILE_ONE, 0, 'a', 1024);
	sync_all(FILE_ONE);
	sync_all(FOLDER);
	set_size(FILE_ONE, 100);
	set_size(FILE_ONE, 2048);
	for (uint64_t i = 0; i < combinations(); i++) {
		len = look(PICK_COMBINATION + i, "one", &bytes);
		assert_true(len == 1024 || len == 100 || len == 2048);
		assert_true(is_all(bytes, 'a', 100));
		if (len == 2048)
			assert_true(is_all(bytes + 100, '\0', 2048 - 100));
	}
	sync_all(FILE_ONE);
	assert_int_equal(look(PICK_NOTHING, "one", &bytes), 2048);
	assert_true(is_all(bytes + 100, '\0', 2048 - 100));
}

static void a_random_state_is_made_again_by_its_number(void **unused)
{
	const char *bytes;
	uint64_t hash[32];

	(void)unused;
	make(FILE_ONE, "one");
	for (unsigned int i = 0; i < 20; i++)
		put(FILE_ONE, 300UL * i, (char)('a' + i), 700);
	for (unsigned int turn = 0; turn < 2; turn++)
		for (unsigned int i = 0; i < 32; i++) {
			look(PICK_RANDOM + i, "one", &bytes);
			if (turn == 0)
				hash[i] = state_compose(&state);
			else
				assert_int_equal(hash[i],
						 state_compose(&state));
		}
	assert_int_not_equal(hash[0], hash[1]);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nothing_is_there_that_was_not_synced),
		CASE(a_write_that_comes_during_a_sync_is_not_covered),
		CASE(a_sync_of_a_range_covers_no_other),
		CASE(a_sector_is_what_some_write_has_left_and_no_mixture),
		CASE(sectors_of_one_write_are_there_or_not_each_for_itself),
		CASE(a_rename_is_one_change),
		CASE(what_was_cut_off_does_not_come_back_with_a_later_size),
		CASE(a_random_state_is_made_again_by_its_number),
	};
	return SUPPORT_MAIN(tests);
}
