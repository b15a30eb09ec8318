/* SIGKILL at any moment, to any of eight processes: four writers (two that
 * sync, two that do not), one that writes long values so that the file grows, one
 * that compacts, two readers. What was acknowledged is there, what is there was
 * written, each transaction is all or nothing, and nobody is stuck.
 *
 * Transaction s of a writer puts its key s % KEYS, deletes key (s + KEYS / 2) %
 * KEYS, and notes s under a key of its own: so from the noted number follows
 * what each of its keys must be. STRESS=1: 300 rounds instead of 40. */
#include "tests/p14/base.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/rng.h"

enum {
	KEYS = 40,
	WRITERS = 4,
	GROWER = WRITERS,
	COMPACTOR,
	READERS, /* and one more */
	CHILDREN = READERS + 2,
};

struct ground {
	uint64_t begun[CHILDREN], acknowledged[CHILDREN]; /* transactions */
	uint64_t progress[CHILDREN];
	char wrong[200];
};

struct player {
	struct ground *ground;
	const char *path;
	unsigned int number;
	uint64_t seed;
	pid_t pid;
};

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static int go_wrong(struct ground *ground, const char *what, unsigned int who,
		    uint64_t number, const char *words)
{
	snprintf(ground->wrong, sizeof(ground->wrong),
		 "%s: player %u, %llu: %s", what, who,
		 (unsigned long long)number, words);
	return 1;
}

/* ---- what must be there ------------------------------------------------------------ */

/* The transaction that put key i last, of the first s; 0: it was deleted since,
 * or there was none. */
static uint64_t put_last(uint64_t s, uint64_t i)
{
	const uint64_t put = s >= i ? s - (s - i) % KEYS : 0;
	const uint64_t j = (i + KEYS / 2) % KEYS; /* deletes i */
	const uint64_t deleted = s >= j ? s - (s - j) % KEYS : 0;

	return put > deleted ? put : 0;
}

static struct mmapdb_bytes key_of(char *key, unsigned int writer, uint64_t i)
{
	snprintf(key, 32, "writer %u key %llu", writer, (unsigned long long)i);
	return text(key);
}

static struct mmapdb_bytes note_of(char *key, unsigned int writer)
{
	snprintf(key, 32, "writer %u", writer);
	return text(key);
}

/* The last transaction of a writer that this snapshot has, 0 if none. */
static int last_of(struct mmapdb *db, unsigned int writer, uint64_t *s)
{
	struct mmapdb_bytes value;
	char key[32];
	int error = mmapdb_get(db, note_of(key, writer), &value);

	*s = 0;
	if (error)
		return error == -ENOENT ? 0 : error;
	if (value.len < sizeof(*s))
		return -EBADMSG;
	memcpy(s, value.data, sizeof(*s));
	return 0;
}

static int check_writer(struct mmapdb *db, struct ground *ground,
			unsigned int writer, uint64_t least, uint64_t *found)
{
	struct mmapdb_bytes value;
	uint64_t s, seen;
	char key[32];
	int error = last_of(db, writer, &s);

	if (error)
		return go_wrong(ground, "unreadable", writer, least,
				mmapdb_error(db));
	if (s < least)
		return go_wrong(ground, "lost", writer, least, "");
	for (uint64_t i = 0; i < KEYS; i++) {
		const uint64_t put = put_last(s, i);

		error = mmapdb_get(db, key_of(key, writer, i), &value);
		if (error && error != -ENOENT)
			return go_wrong(ground, "unreadable", writer, i,
					mmapdb_error(db));
		if (error ? put != 0 : put == 0)
			return go_wrong(ground, "not whole", writer, s, key);
		if (error)
			continue;
		memcpy(&seen, value.data, sizeof(seen));
		if (seen != put || value.len != 8 + put % 300)
			return go_wrong(ground, "torn", writer, s, key);
	}
	*found = s;
	return 0;
}

/* ---- those who write --------------------------------------------------------------- */

static int write_one(struct mmapdb *db, unsigned int writer, uint64_t s)
{
	unsigned char value[308] = {0};
	char key[32];
	int error = mmapdb_begin_write(db, tick_after(PATIENCE));

	if (error)
		return error;
	memcpy(value, &s, sizeof(s));
	error = mmapdb_put(db, key_of(key, writer, s % KEYS),
			   (struct mmapdb_bytes){value, 8 + s % 300}, NULL);
	if (!error)
		error = mmapdb_del(db,
				   key_of(key, writer, (s + KEYS / 2) % KEYS));
	if (!error || error == -ENOENT)
		error = mmapdb_put(db, note_of(key, writer),
				   (struct mmapdb_bytes){value, 8}, NULL);
	if (error)
		mmapdb_abort(db);
	return error ? error : mmapdb_commit(db);
}

static int play_writer(struct player *player, struct mmapdb *db)
{
	struct ground *ground = player->ground;
	const unsigned int me = player->number;
	uint64_t s = 0;
	int error = mmapdb_begin_read(db);

	/* What our predecessor had begun when it was killed is there, or not. */
	if (!error)
		error = last_of(db, me, &s);
	mmapdb_abort(db);
	if (error || s < load(&ground->acknowledged[me]) ||
	    s > load(&ground->begun[me]))
		return go_wrong(ground, "after a kill", me, s,
				mmapdb_error(db));
	for (;;) {
		s++;
		store(&ground->begun[me], s);
		error = write_one(db, me, s);
		if (error)
			return go_wrong(ground, strerror(-error), me, s,
					mmapdb_error(db));
		store(&ground->acknowledged[me], s);
		store(&ground->progress[me], load(&ground->progress[me]) + 1);
	}
}

static int play_grower(struct player *player, struct mmapdb *db)
{
	static unsigned char value[200000];
	struct ground *ground = player->ground;
	struct rng rng;
	char key[32];

	rng_seed(&rng, player->seed);
	for (;;) {
		const uint64_t n = rng_next(&rng);
		const struct mmapdb_bytes bytes = {value,
						   1 + n % sizeof(value)};
		int error;

		memset(value, (int)n, bytes.len);
		snprintf(key, sizeof(key), "long %d", (int)(n / 7 % 10));
		error = mmapdb_begin_write(db, tick_after(PATIENCE));
		if (!error)
			error = mmapdb_put(db, text(key), bytes, NULL);
		if (!error)
			error = mmapdb_commit(db);
		if (error)
			return go_wrong(ground, strerror(-error), GROWER, n,
					mmapdb_error(db));
		store(&ground->progress[GROWER],
		      load(&ground->progress[GROWER]) + 1);
	}
}

static int play_compactor(struct player *player, struct mmapdb *db)
{
	struct ground *ground = player->ground;

	for (;;) {
		int error = mmapdb_compact(db, tick_after(PATIENCE));

		if (error)
			return go_wrong(ground, strerror(-error), COMPACTOR, 0,
					mmapdb_error(db));
		store(&ground->progress[COMPACTOR],
		      load(&ground->progress[COMPACTOR]) + 1);
		tick_sleep_until(tick_after(5 * TICK_MS));
	}
}

/* ---- those who read ---------------------------------------------------------------- */

static int check_long_values(struct mmapdb *db, struct ground *ground)
{
	const struct mmapdb_range range = {.prefix = text("long ")};
	struct mmapdb_cursor cursor;
	int error = mmapdb_cursor_open(&cursor, db, &range);

	while (!error && !(error = mmapdb_cursor_next(&cursor))) {
		const unsigned char *bytes = cursor.value.data;

		if (memcmp(bytes, bytes + 1, cursor.value.len - 1) != 0)
			return go_wrong(ground, "torn", GROWER, bytes[0], "");
	}
	return error == -ENOENT ? 0
				: go_wrong(ground, "unreadable", GROWER, 0,
					   mmapdb_error(db));
}

/* All writers, at one moment: what they had acknowledged before is there, and
 * nothing that they had not begun after. */
static int check_all(struct mmapdb *db, struct ground *ground)
{
	uint64_t least[WRITERS], s;
	int error;

	for (unsigned int i = 0; i < WRITERS; i++)
		least[i] = load(&ground->acknowledged[i]);
	error = mmapdb_begin_read(db);
	if (error)
		return go_wrong(ground, strerror(-error), READERS, 0,
				mmapdb_error(db));
	for (unsigned int i = 0; i < WRITERS; i++) {
		if (check_writer(db, ground, i, least[i], &s))
			return 1;
		if (s > load(&ground->begun[i]))
			return go_wrong(ground, "from nowhere", i, s, "");
	}
	error = check_long_values(db, ground);
	mmapdb_abort(db);
	return error;
}

static int play_reader(struct player *player, struct mmapdb *db)
{
	struct ground *ground = player->ground;

	for (;;) {
		if (check_all(db, ground))
			return 1;
		store(&ground->progress[player->number],
		      load(&ground->progress[player->number]) + 1);
	}
}

static int play(void *arg)
{
	struct player *player = arg;
	const unsigned int me = player->number;
	struct mmapdb *db;
	int error = mmapdb_open(
		player->path, me < WRITERS && me % 2 ? MMAPDB_NO_SYNC : 0, &db);

	if (error)
		return go_wrong(player->ground, strerror(-error), me, 0,
				"cannot open");
	if (me < WRITERS)
		return play_writer(player, db);
	if (me == GROWER)
		return play_grower(player, db);
	if (me == COMPACTOR)
		return play_compactor(player, db);
	return play_reader(player, db);
}

/* ---- the match --------------------------------------------------------------------- */

struct wait {
	struct ground *ground;
	uint64_t seen[CHILDREN];
};

static bool has_everybody_moved(void *arg)
{
	const struct wait *wait = arg;

	for (unsigned int i = 0; i < CHILDREN; i++)
		if (load(&wait->ground->progress[i]) == wait->seen[i])
			return wait->ground->wrong[0] != 0;
	return true;
}

static void wait_for_everybody(struct ground *ground)
{
	struct wait wait = {.ground = ground};

	for (unsigned int i = 0; i < CHILDREN; i++)
		wait.seen[i] = load(&ground->progress[i]);
	if (support_wait_until(has_everybody_moved, &wait, 60000))
		return;
	for (unsigned int i = 0; i < CHILDREN; i++)
		if (load(&ground->progress[i]) == wait.seen[i])
			fail_msg("player %u is stuck", i);
}

static void check_now(struct base *base, struct ground *ground)
{
	struct mmapdb_fault fault;

	if (!ground->wrong[0])
		check_all(base->db, ground);
	if (ground->wrong[0])
		fail_msg("%s", ground->wrong);
	must(base->db, mmapdb_begin_read(base->db));
	if (mmapdb_check(base->db, &fault))
		fail_msg("page %d: %s", (int)fault.page, fault.what);
	mmapdb_abort(base->db);
}

static void killed_at_any_moment_nothing_is_lost_torn_or_stuck(void **state)
{
	const int rounds = support_is_stress() ? 300 : 40;
	struct ground *ground =
		mmap(NULL, sizeof(*ground), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct player players[CHILDREN];
	struct base base;
	struct rng rng;

	(void)state;
	printf("seed 14\n");
	rng_seed(&rng, 14);
	base_make(&base, 0);
	for (unsigned int i = 0; i < CHILDREN; i++) {
		players[i] = (struct player){ground, base.path, i, i, 0};
		assert_int_equal(child_fork(play, &players[i], &players[i].pid),
				 0);
	}
	for (int round = 0; round < rounds; round++) {
		struct player *victim = &players[rng_below(&rng, CHILDREN)];

		if (round % 10 == 0)
			wait_for_everybody(ground);
		tick_sleep_until(
			tick_after((int64_t)rng_below(&rng, 8000) * TICK_US));
		support_kill(&victim->pid);
		victim->seed = rng_next(&rng);
		check_now(&base, ground);
		assert_int_equal(child_fork(play, victim, &victim->pid), 0);
	}
	wait_for_everybody(ground);
	for (unsigned int i = 0; i < CHILDREN; i++)
		support_kill(&players[i].pid);
	check_now(&base, ground);
	base_remove(&base);
	munmap(ground, sizeof(*ground));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			killed_at_any_moment_nothing_is_lost_torn_or_stuck),
	};

	return SUPPORT_MAIN(tests);
}
