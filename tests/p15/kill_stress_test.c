/* Pauses and SIGKILL at random moments, for either side, over random sizes: no
 * item is lost, doubled, out of order or spoilt. STRESS=1: 65 times as many.
 *
 * An item's bytes follow from its index. So a producer that takes over goes on
 * with what the index asks for, and a consumer knows what must stand where it
 * begins. What a dead consumer had not released comes again; it says in shared
 * memory how far it had taken and how far it had verified. */
#include "tests/support/support.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "lib/child.h"
#include "lib/rng.h"
#include "lib/tick.h"
#include "p15-spsc/internal.h"

enum { ITEM_MAX = 128, BATCH_MAX = 9, QUEUE_BYTES = 65536 };

#define PATIENCE (60 * TICK_S)

/* What went wrong, for the message. */
enum { RIGHT, SPOILT, LOST, FAILED, STUCK };

struct ground {
	uint64_t item_bytes, capacity;
	_Atomic uint64_t taking;   /* a consumer may have released up to here */
	_Atomic uint64_t verified; /* and has found these to be right */
	_Atomic int wrong;
	_Alignas(SPSC_LINE) unsigned char queue[QUEUE_BYTES];
};

struct player {
	struct ground *ground;
	int (*play)(void *player);
	struct rng rng;
	pid_t pid;
};

static void fill(unsigned char *item, uint64_t bytes, uint64_t index)
{
	for (uint64_t i = 0; i < bytes; i++)
		item[i] = (unsigned char)(index * 167 + i * 13 + (index >> 8));
}

static bool is_item(const unsigned char *item, uint64_t bytes, uint64_t index)
{
	unsigned char wanted[ITEM_MAX];

	fill(wanted, bytes, index);
	return memcmp(item, wanted, bytes) == 0;
}

static int note_wrong(struct ground *ground, int what)
{
	atomic_store(&ground->wrong, what);
	return what;
}

/* Mostly none; sometimes long enough for the other side to fall asleep. */
static void pause_a_while(struct rng *rng)
{
	uint64_t dice = rng_below(rng, 400);

	if (dice == 0)
		tick_sleep_until(
			tick_after((int64_t)rng_below(rng, 500) * TICK_US));
	else
		for (volatile uint64_t i = 0; dice < 20 && i < dice * 20; i++)
			;
}

/* ---- the producer -------------------------------------------------------------- */

/* One call of some kind; how many items it was, or an error. */
static ssize_t produce_some(struct spsc_producer *p, struct rng *rng,
			    uint64_t bytes)
{
	unsigned char items[ITEM_MAX * BATCH_MAX];
	size_t n = 1 + rng_below(rng, BATCH_MAX);
	ssize_t done;

	for (size_t i = 0; i < n; i++)
		fill(items + i * bytes, bytes, p->tail + i);
	switch (rng_below(rng, 4)) {
	case 0:
		return spsc_push_many_until(p, items, n, tick_after(PATIENCE));
	case 1:
		done = spsc_try_put(p, items, bytes);
		if (rng_below(rng, 4) == 0)
			spsc_flush(p);
		return done == -EAGAIN ? 0 : done;
	default:
		return spsc_push_until(p, items, bytes, tick_after(PATIENCE));
	}
}

static bool is_end(ssize_t error)
{
	return error < 0 && error != -EPIPE && error != -EOWNERDEAD &&
	       error != -EINTR;
}

static int produce(void *arg)
{
	struct player *player = arg;
	struct ground *ground = player->ground;
	struct spsc_producer p;

	for (;;) {
		uint64_t turns = 1 + rng_below(&player->rng, 5000);

		if (spsc_producer_attach(&p, ground->queue, QUEUE_BYTES,
					 ground->item_bytes))
			return note_wrong(ground, FAILED);
		while (turns-- > 0) {
			ssize_t done = produce_some(&p, &player->rng,
						    ground->item_bytes);

			if (is_end(done))
				return note_wrong(ground, done == -ETIMEDOUT
								  ? STUCK
								  : FAILED);
			pause_a_while(&player->rng);
		}
		spsc_producer_close(&p);
	}
}

/* ---- the consumer -------------------------------------------------------------- */

static ssize_t consume_some(struct ground *ground, struct spsc_consumer *c,
			    struct rng *rng)
{
	const uint64_t bytes = ground->item_bytes, first = c->head;
	const bool is_batch = rng_below(rng, 3) == 0;
	const size_t most = is_batch ? BATCH_MAX : 1;
	unsigned char items[ITEM_MAX * BATCH_MAX];
	ssize_t n;

	atomic_store(&ground->taking, first + most);
	if (is_batch) {
		n = spsc_pop_many_until(c, items, most, tick_after(PATIENCE));
	} else {
		n = spsc_pop_until(c, items, bytes, tick_after(PATIENCE));
		n = n ? n : 1;
	}
	pause_a_while(rng); /* to be killed with what nobody has looked at */
	for (ssize_t i = 0; i < n; i++)
		if (!is_item(items + (uint64_t)i * bytes, bytes,
			     first + (uint64_t)i))
			return note_wrong(ground, SPOILT);
	if (n > 0)
		atomic_store(&ground->verified, first + (uint64_t)n);
	return n;
}

/* Where a new consumer begins: not behind what may have been released, and not
 * before what had been by all means. Modulo 2^64.
 *
 * The last one may have released a batch and died before it looked at it. Who
 * follows counts from its own beginning, so that what two such lives leave
 * unseen does not add up. */
static bool begins_right(struct ground *ground, const struct spsc_consumer *c)
{
	const uint64_t verified = atomic_exchange(&ground->verified, c->head);

	return (int64_t)(atomic_load(&ground->taking) - c->head) >= 0 &&
	       verified - c->head + BATCH_MAX <= c->slack + 2 * BATCH_MAX;
}

static int consume(void *arg)
{
	struct player *player = arg;
	struct ground *ground = player->ground;
	struct spsc_consumer c;

	for (;;) {
		uint64_t turns = 1 + rng_below(&player->rng, 5000);

		if (spsc_consumer_attach(&c, ground->queue, QUEUE_BYTES,
					 ground->item_bytes))
			return note_wrong(ground, FAILED);
		if (!begins_right(ground, &c))
			return note_wrong(ground, LOST);
		while (turns-- > 0) {
			ssize_t n = consume_some(ground, &c, &player->rng);

			if (atomic_load(&ground->wrong))
				return 1;
			if (is_end(n))
				return note_wrong(ground, n == -ETIMEDOUT
								  ? STUCK
								  : FAILED);
			pause_a_while(&player->rng);
		}
		spsc_consumer_close(&c);
	}
}

/* ---- who kills ------------------------------------------------------------------ */

static void start(struct player *player)
{
	/* Another future for each life. */
	rng_next(&player->rng);
	assert_int_equal(child_fork(player->play, player, &player->pid), 0);
}

static void end(struct player *player)
{
	int status;

	kill(player->pid, SIGKILL);
	assert_int_equal(child_wait(player->pid, tick_after(PATIENCE), &status),
			 0);
	assert_int_equal(player->ground->wrong, RIGHT);
	assert_int_equal(child_exit_code(status), 128 + SIGKILL);
}

struct goal {
	struct ground *ground;
	uint64_t index;
};

static bool is_reached(void *arg)
{
	const struct goal *goal = arg;

	return goal->ground->wrong ||
	       (int64_t)(atomic_load(&goal->ground->verified) - goal->index) >=
		       0;
}

/* The two that live now get on with it, whatever happened before: through more
 * items than there can be in the queue. */
static void assert_goes_on(struct ground *ground)
{
	struct goal goal = {ground, atomic_load(&ground->verified) +
					    2 * ground->capacity + BATCH_MAX};

	assert_true(support_wait_until(is_reached, &goal, 60000));
	assert_int_equal(ground->wrong, RIGHT);
}

static void play_round(struct ground *ground, struct rng *rng, int kills)
{
	struct player player[2] = {{.ground = ground, .play = produce},
				   {.ground = ground, .play = consume}};
	const uint64_t first = UINT64_MAX - rng_below(rng, 100000);

	ground->item_bytes = 1 + rng_below(rng, ITEM_MAX);
	ground->capacity = UINT64_C(1) << rng_below(rng, 9);
	atomic_store(&ground->taking, first);
	atomic_store(&ground->verified, first);
	assert_int_equal(spsc_init_at(ground->queue, QUEUE_BYTES,
				      ground->item_bytes, ground->capacity,
				      first),
			 0);
	for (int i = 0; i < 2; i++) {
		rng_seed(&player[i].rng, rng_next(rng));
		start(&player[i]);
	}
	for (int k = 0; k < kills; k++) {
		struct player *victim = &player[rng_below(rng, 2)];
		int64_t moment = (int64_t)rng_below(rng, 2000) * TICK_US;

		tick_sleep_until(tick_after(moment));
		if (rng_below(rng, 3) == 0) {
			kill(victim->pid, SIGSTOP);
			tick_sleep_until(tick_after(moment));
			kill(victim->pid, SIGCONT);
			continue;
		}
		end(victim);
		start(victim);
	}
	assert_goes_on(ground);
	end(&player[0]);
	end(&player[1]);
}

static void random_kills_and_pauses_lose_double_and_spoil_nothing(void **state)
{
	const int rounds = support_is_stress() ? 400 : 6;
	struct rng rng;
	struct ground *ground =
		mmap(NULL, sizeof(*ground), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(ground, MAP_FAILED);
	rng_seed(&rng, support_is_stress() ? (uint64_t)time(NULL) : 15);
	for (int round = 0; round < rounds; round++)
		play_round(ground, &rng, support_is_valgrind() ? 3 : 40);
	munmap(ground, sizeof(*ground));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			random_kills_and_pauses_lose_double_and_spoil_nothing),
	};

	return SUPPORT_MAIN(tests);
}
