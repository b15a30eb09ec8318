/* The tree against a model: a sorted array of the same records. Random puts,
 * deletes and looks, in transactions that are committed or not, over keys that
 * are dense, long, of long common beginnings, and values that are short, long
 * and very long. */
#include "tests/p14/base.h"

#include "lib/rng.h"

enum { RECORDS_MAX = 4096, STEPS = 4000 };

struct record {
	unsigned char key[MMAPDB_KEY_MAX];
	size_t key_len;
	uint64_t seed; /* the value follows from it */
	size_t value_len;
};

struct entry {
	struct record *record;
};

struct model {
	struct entry entries[RECORDS_MAX];
	size_t n;
};

/* Records of both models: what is committed, and what the transaction makes of
 * it. */
static struct record pool[2 * RECORDS_MAX];
static struct entry spare[2 * RECORDS_MAX];
static size_t n_used, n_spare;

static struct entry take(void)
{
	if (n_spare > 0)
		return spare[--n_spare];
	return (struct entry){&pool[n_used++]};
}

static void give_back(struct entry entry)
{
	spare[n_spare++] = entry;
}

/* How keys and values are drawn. */
struct style {
	const char *name;
	size_t key_max, value_max;
	size_t common; /* bytes that all keys begin with */
	unsigned int alphabet;
	uint64_t transaction; /* steps in one, on average */
	size_t records;
};

static int compare(const struct record *a, const unsigned char *key, size_t len)
{
	const int order =
		memcmp(a->key, key, a->key_len < len ? a->key_len : len);

	return order ? order : (a->key_len > len) - (a->key_len < len);
}

static size_t find(const struct model *model, const unsigned char *key,
		   size_t len)
{
	size_t lo = 0, hi = model->n;

	while (lo < hi) {
		const size_t mid = (lo + hi) / 2;

		if (compare(model->entries[mid].record, key, len) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_at(const struct model *model, size_t i, const unsigned char *key,
		  size_t len)
{
	return i < model->n && compare(model->entries[i].record, key, len) == 0;
}

static void model_put(struct model *model, const struct record *record)
{
	const size_t i = find(model, record->key, record->key_len);

	if (!is_at(model, i, record->key, record->key_len)) {
		memmove(model->entries + i + 1, model->entries + i,
			(model->n - i) * sizeof(struct entry));
		model->entries[i] = take();
		model->n++;
	}
	*model->entries[i].record = *record;
}

static void model_del(struct model *model, size_t i)
{
	give_back(model->entries[i]);
	model->n--;
	memmove(model->entries + i, model->entries + i + 1,
		(model->n - i) * sizeof(struct entry));
}

static void model_copy(struct model *to, const struct model *from)
{
	while (to->n > 0)
		give_back(to->entries[--to->n]);
	for (; to->n < from->n; to->n++) {
		to->entries[to->n] = take();
		*to->entries[to->n].record = *from->entries[to->n].record;
	}
}

/* ---- drawing --------------------------------------------------------------------- */

static void draw_key(const struct style *style, struct rng *rng,
		     struct record *record)
{
	record->key_len = style->common + 1 +
			  rng_below(rng, style->key_max - style->common);
	memset(record->key, 'c', style->common);
	/* Now and then one that has less in common than the others. */
	if (style->common && rng_below(rng, 50) == 0)
		record->key_len = 1 + rng_below(rng, style->common);
	for (size_t i = style->common; i < record->key_len; i++)
		record->key[i] = (unsigned char)rng_below(rng, style->alphabet);
}

static void draw(const struct style *style, struct rng *rng,
		 struct record *record)
{
	draw_key(style, rng, record);
	record->seed = rng_next(rng);
	record->value_len = rng_below(rng, style->value_max + 1);
}

static unsigned char *value_of(const struct record *record)
{
	static unsigned char value[100000];
	struct rng rng;

	rng_seed(&rng, record->seed);
	rng_fill(&rng, value, record->value_len);
	return value;
}

/* ---- comparing ------------------------------------------------------------------- */

static void assert_record(const struct record *record, struct mmapdb_bytes key,
			  struct mmapdb_bytes value)
{
	assert_non_null(record);
	if (!record)
		return; /* clang-tidy does not know that it never comes here */
	assert_int_equal(key.len, record->key_len);
	assert_memory_equal(key.data, record->key, key.len);
	assert_int_equal(value.len, record->value_len);
	assert_memory_equal(value.data, value_of(record), value.len);
}

static void assert_same(struct mmapdb *db, const struct model *model)
{
	struct mmapdb_cursor cursor;
	struct mmapdb_fault fault;
	size_t i = 0;
	int error;

	must(db, mmapdb_cursor_open(&cursor, db, NULL));
	for (; (error = mmapdb_cursor_next(&cursor)) == 0; i++) {
		assert_true(i < model->n);
		assert_record(model->entries[i].record, cursor.key,
			      cursor.value);
	}
	assert_int_equal(error, -ENOENT);
	assert_int_equal(i, model->n);
	for (; (error = mmapdb_cursor_prev(&cursor)) == 0; i--)
		assert_record(model->entries[i - 1].record, cursor.key,
			      cursor.value);
	assert_int_equal(error, -ENOENT);
	assert_int_equal(i, 0);
	error = mmapdb_check(db, &fault);
	if (error)
		fail_msg("page %d: %s", (int)fault.page, fault.what);
}

static void look_up(struct mmapdb *db, const struct model *model,
		    const struct record *record)
{
	const struct mmapdb_bytes key = {record->key, record->key_len};
	const size_t i = find(model, record->key, record->key_len);
	struct mmapdb_cursor cursor;
	struct mmapdb_bytes value;
	int error = mmapdb_get(db, key, &value);

	if (is_at(model, i, record->key, record->key_len)) {
		must(db, error);
		assert_record(model->entries[i].record, key, value);
	} else {
		assert_int_equal(error, -ENOENT);
	}
	must(db, mmapdb_cursor_open(&cursor, db, NULL));
	error = mmapdb_cursor_seek(&cursor, key);
	assert_int_equal(error, i < model->n ? 0 : -ENOENT);
	if (!error)
		assert_record(model->entries[i].record, cursor.key,
			      cursor.value);
}

/* ---- the cases ------------------------------------------------------------------- */

static void step(struct mmapdb *db, struct model *model,
		 const struct style *style, struct rng *rng)
{
	struct record record;
	struct mmapdb_bytes key;
	size_t i;

	draw(style, rng, &record);
	/* Half of the time one that is there. */
	if (model->n && rng_below(rng, 2)) {
		i = rng_below(rng, model->n);
		if (!model->entries[i].record)
			return;
		memcpy(record.key, model->entries[i].record->key,
		       MMAPDB_KEY_MAX);
		record.key_len = model->entries[i].record->key_len;
	}
	key = (struct mmapdb_bytes){record.key, record.key_len};
	i = find(model, record.key, record.key_len);
	if (rng_below(rng, 100) < (model->n < style->records ? 40U : 70U)) {
		const bool is_there =
			is_at(model, i, record.key, record.key_len);
		int error = mmapdb_del(db, key);

		assert_int_equal(error, is_there ? 0 : -ENOENT);
		if (is_there)
			model_del(model, i);
	} else if (model->n < RECORDS_MAX) {
		const struct mmapdb_bytes value = {value_of(&record),
						   record.value_len};

		must(db, mmapdb_put(db, key, value, NULL));
		model_put(model, &record);
	}
	look_up(db, model, &record);
}

static void run(const struct style *style, uint64_t seed, unsigned int flags)
{
	struct model model = {.n = 0}, committed = {.n = 0};
	struct base base;
	struct rng rng;

	printf("%s: seed %llu\n", style->name, (unsigned long long)seed);
	base_make(&base, flags);
	rng_seed(&rng, seed);
	for (int done = 0; done < STEPS;) {
		const uint64_t steps =
			1 + rng_below(&rng, 2 * style->transaction);

		must(base.db,
		     mmapdb_begin_write(base.db, tick_after(PATIENCE)));
		for (uint64_t i = 0; i < steps; i++, done++)
			step(base.db, &model, style, &rng);
		if (rng_below(&rng, 4) == 0) {
			mmapdb_abort(base.db);
			model_copy(&model, &committed);
		} else {
			must(base.db, mmapdb_commit(base.db));
			model_copy(&committed, &model);
		}
		must(base.db, mmapdb_begin_read(base.db));
		if (rng_below(&rng, 8) == 0)
			assert_same(base.db, &model);
		mmapdb_abort(base.db);
	}
	model_copy(&model, &(struct model){.n = 0});
	model_copy(&committed, &(struct model){.n = 0});
	base_remove(&base);
}

static void short_keys_and_values(void **state)
{
	static const struct style style = {"short", 8, 100, 0, 256, 100, 3000};

	(void)state;
	run(&style, 1, MMAPDB_NO_SYNC);
	run(&style, 2, 0);
}

static void dense_keys_that_begin_with_each_other(void **state)
{
	static const struct style style = {"dense", 12, 20, 0, 2, 60, 2000};

	(void)state;
	run(&style, 3, MMAPDB_NO_SYNC);
}

static void long_keys(void **state)
{
	static const struct style style = {
		"long", MMAPDB_KEY_MAX, 300, 0, 256, 60, 600};

	(void)state;
	run(&style, 4, MMAPDB_NO_SYNC);
}

static void keys_with_a_long_common_beginning(void **state)
{
	static const struct style style = {
		"common", MMAPDB_KEY_MAX, 40, 1000, 4, 60, 2000};

	(void)state;
	run(&style, 5, MMAPDB_NO_SYNC);
}

static void long_values(void **state)
{
	static const struct style style = {"values", 20, 20000, 0,
					   256,      20, 300};

	(void)state;
	run(&style, 6, MMAPDB_NO_SYNC);
	run(&style, 7, MMAPDB_NO_SYNC);
}

static void a_step_a_transaction(void **state)
{
	static const struct style style = {"single", 10, 1500, 2, 64, 1, 1000};

	(void)state;
	run(&style, 8, MMAPDB_NO_SYNC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_keys_and_values),
		cmocka_unit_test(dense_keys_that_begin_with_each_other),
		cmocka_unit_test(long_keys),
		cmocka_unit_test(keys_with_a_long_common_beginning),
		cmocka_unit_test(long_values),
		cmocka_unit_test(a_step_a_transaction),
	};

	return SUPPORT_MAIN(tests);
}
