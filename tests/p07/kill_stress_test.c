/* SIGKILL at random moments, 200 times and more: waiting, holding the lock, in
 * between. The others go on, no item comes twice or out of order, and none is
 * lost but in the hands of the dead. STRESS=1: twenty times as many.
 *
 * Items are large in the first case, so that most of the time somebody holds
 * the lock, copying; and every second kill is for whoever that is. In the
 * second they are small, and the victims chosen blindly. */
#include "tests/p07/fixture.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <linux/futex.h>

#include "lib/rng.h"
#include "p07-prodcons/cmd/audit.h"

enum {
	PRODUCERS = 3, /* alive at a time */
	CONSUMERS = 3,
	MEMBERS = PRODUCERS + CONSUMERS,
	CAPACITY = 4,
	SHARE = 20000, /* items a producer makes, if it lives */
	STRIDE = 997,  /* of the bytes looked at */
	LIVES = 900,   /* producers there can be in one audit */
	LARGE = 262144,
};

/* What all share. */
struct ground {
	struct bounded buffer;
	struct audit *audit;
	atomic_bool is_over; /* producers: enough */
	_Atomic uint64_t taken;
	size_t audit_size;
};

struct member {
	struct ground *ground;
	pid_t pid;
	uint32_t number; /* of a producer, 1 … LIVES; of a consumer, 0 */
};

struct game {
	struct ground *ground;
	struct member member[MEMBERS];
	struct rng rng;
	struct audit_deaths deaths;
	uint32_t lives; /* of producers, so far */
};

/* ---- members ---- */

/* The audit's item in front, and the rest of it in every other byte's place. */
static void fill(unsigned char *bytes, const struct ground *ground,
		 const struct audit_item *item)
{
	memset(bytes, (int)(item->check & 0xff), ground->buffer.item_bytes);
	memcpy(bytes, item, sizeof(*item));
}

static bool is_whole(const unsigned char *bytes, const struct ground *ground,
		     const struct audit_item *item)
{
	for (size_t i = sizeof(*item); i < ground->buffer.item_bytes;
	     i += STRIDE)
		if (bytes[i] != (item->check & 0xff))
			return false;
	return true;
}

static int produce(const struct member *member)
{
	struct ground *ground = member->ground;
	static unsigned char bytes[LARGE];

	for (uint64_t i = 1; i <= SHARE && !atomic_load(&ground->is_over);
	     i++) {
		struct audit_item item =
			audit_produce(ground->audit, member->number, i);

		fill(bytes, ground, &item);
		if (bounded_put(&ground->buffer, bytes, TICK_NEVER))
			return 1;
		audit_put(ground->audit, &item);
	}
	return 0;
}

static int consume(const struct member *member)
{
	struct ground *ground = member->ground;
	static unsigned char bytes[LARGE];
	static uint64_t seen[LIVES];
	struct audit_item item;

	for (;;) {
		int rc;

		audit_before(ground->audit, seen);
		rc = bounded_take(&ground->buffer, bytes, TICK_NEVER);
		if (rc)
			return rc == -EPIPE ? 0 : 1;
		memcpy(&item, bytes, sizeof(item));
		if (audit_taken(ground->audit, seen, 1, &item) == 0 ||
		    !is_whole(bytes, ground, &item))
			return 2;
		atomic_fetch_add(&ground->taken, 1);
	}
}

static int live(void *arg)
{
	const struct member *member = arg;

	return member->number ? produce(member) : consume(member);
}

/* ---- the game ---- */

static void start(struct game *game, int i)
{
	struct member *member = &game->member[i];

	member->ground = game->ground;
	member->number = i < PRODUCERS ? ++game->lives : 0;
	assert_true(game->lives <= LIVES);
	member->pid = fixture_start(live, member);
}

static void begin(struct game *game, uint32_t item_bytes)
{
	uint64_t seed = (uint64_t)tick_now();
	struct ground *ground = fixture_share(sizeof(*ground));

	memset(game, 0, sizeof(*game));
	game->ground = ground;
	ground->buffer = fixture_make(CAPACITY, item_bytes, true);
	ground->audit_size = audit_bytes(LIVES, (uint64_t)LIVES * SHARE);
	ground->audit = audit_init(fixture_share(ground->audit_size), LIVES,
				   (uint64_t)LIVES * SHARE);
	print_message("seed %llu\n", (unsigned long long)seed);
	rng_seed(&game->rng, seed);
	for (int i = 0; i < MEMBERS; i++)
		start(game, i);
}

static bool has_moved(void *arg)
{
	/* Bits: the value from which it has to move on. */
	uint64_t **pair = arg;

	return atomic_load((_Atomic uint64_t *)pair[0]) > *pair[1];
}

/* Who holds the lock; -1 for nobody. The word of a robust mutex, on which the
 * kernel works when a process dies, is the thread's id. */
static int find_holder(const struct game *game)
{
	_Atomic uint32_t *word =
		(_Atomic uint32_t *)&game->ground->buffer.state->lock;
	pid_t holder = (pid_t)(atomic_load(word) & FUTEX_TID_MASK);

	for (int i = 0; i < MEMBERS; i++)
		if (game->member[i].pid == holder)
			return i;
	return -1;
}

/* Kill one at a random moment and replace it. */
static void kill_one(struct game *game, bool is_holder)
{
	int i = (int)rng_below(&game->rng, MEMBERS), status;
	struct member *member;

	tick_sleep_until(tick_after((int64_t)rng_below(&game->rng, TICK_MS)));
	for (int look = 0; is_holder && look < 1000; look++) {
		int holder = find_holder(game);

		i = holder < 0 ? i : holder;
		is_holder = holder < 0;
	}
	member = &game->member[i];
	kill(member->pid, SIGKILL);
	assert_int_equal(child_wait(member->pid, tick_after(LIMIT), &status),
			 0);
	/* A producer may have come to the end of its share before. */
	if (child_exit_code(status) != 0) {
		assert_int_equal(child_exit_code(status), 128 + SIGKILL);
		if (member->number)
			game->deaths.producers++;
		else
			game->deaths.consumers++;
	}
	start(game, i);
}

static void expect_progress(struct game *game)
{
	uint64_t before = atomic_load(&game->ground->taken);
	uint64_t *pair[] = {(uint64_t *)&game->ground->taken, &before};

	/* Producers that came to their end are replaced. */
	for (int i = 0; i < PRODUCERS; i++) {
		int status;

		if (child_wait(game->member[i].pid, PAST, &status) == 0) {
			assert_int_equal(child_exit_code(status), 0);
			start(game, i);
		}
	}
	if (!support_wait_until(has_moved, pair, 20000))
		fail_msg("nothing moves after %u deaths",
			 game->deaths.producers + game->deaths.consumers);
}

static void finish(struct game *game)
{
	struct ground *ground = game->ground;
	struct audit_verdict verdict;

	atomic_store(&ground->is_over, true);
	for (int i = 0; i < PRODUCERS; i++)
		assert_int_equal(fixture_end(game->member[i].pid), 0);
	assert_int_equal(bounded_finish(&ground->buffer, tick_after(LIMIT)), 0);
	for (int i = PRODUCERS; i < MEMBERS; i++)
		assert_int_equal(fixture_end(game->member[i].pid), 0);
	audit_judge(ground->audit, &game->deaths, &verdict);
	print_message(
		"killed: %u producers, %u consumers; locks mended %llu; "
		"items %llu, lost %llu\n",
		game->deaths.producers, game->deaths.consumers,
		(unsigned long long)fixture_look(&ground->buffer).mended,
		(unsigned long long)verdict.consumed,
		(unsigned long long)verdict.gone.count + verdict.unput.count);
	assert_string_equal(verdict.wrong, "");
	/* That items were not made, when it is over, takes no death. */
	assert_true(verdict.gone.count <= game->deaths.consumers);
	assert_true(verdict.gone.count + verdict.unput.count <=
		    game->deaths.producers + game->deaths.consumers);
}

static void end(struct game *game)
{
	struct ground *ground = game->ground;

	fixture_drop(&ground->buffer);
	munmap(ground->audit, ground->audit_size);
	munmap(ground, sizeof(*ground));
}

static uint64_t play(uint32_t item_bytes, int kills)
{
	struct game game;
	uint64_t mended;

	begin(&game, item_bytes);
	for (int i = 0; i < kills; i++) {
		kill_one(&game, item_bytes == LARGE && i % 2);
		expect_progress(&game);
	}
	finish(&game);
	mended = fixture_look(&game.ground->buffer).mended;
	end(&game);
	return mended;
}

/* ---- cases ---- */

static int games(void)
{
	return support_is_stress() ? 20 : 1;
}

static void kills_while_the_lock_is_held_hang_nobody(void **state)
{
	uint64_t mended = 0;

	(void)state;
	for (int i = 0; i < games(); i++)
		mended += play(LARGE, 200);
	assert_true(mended > 0);
}

static void kills_at_random_points_hang_nobody(void **state)
{
	(void)state;
	for (int i = 0; i < games(); i++)
		play(sizeof(struct audit_item), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kills_while_the_lock_is_held_hang_nobody),
		cmocka_unit_test(kills_at_random_points_hang_nobody),
	};
	return SUPPORT_MAIN(tests);
}
