/* explore_steps.h - what a step does: the memory of explore.h, where
 * stores wait in buffers, and what each side knows of the other. For that header
 * alone. */
#ifndef UNIXIPC_TESTS_P15_EXPLORE_STEPS_H
#define UNIXIPC_TESTS_P15_EXPLORE_STEPS_H

#include "tests/support/support.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <ucontext.h>

enum {
	SIDES = 2,
	WORDS_MAX = 16,
	BUFFER_MAX = 8,
	SLOTS_MAX = 8,
	DEPTH_MAX = 400,
	STACK_BYTES = 256 << 10,
	SEEN_BITS = 21,
};

struct clock {
	uint32_t of[SIDES];
};

/* A store that has not landed yet. */
struct pending {
	void *at;
	size_t bytes;
	uint64_t value;
	struct clock clock;
};

struct word {
	void *at;
	size_t bytes;
	struct clock clock; /* what who acquires it is behind of */
};

enum explore_wait { RUNS, FINISHED, SLEEPS, AWAITS };

struct side {
	ucontext_t context;
	enum explore_wait wait;
	const void *futex; /* that it sleeps on */
	uint64_t history;  /* a hash of all that it knows */
	struct clock clock;
	struct pending buffer[BUFFER_MAX];
	size_t n_pending;
	uint64_t landed; /* stores of this side that all can see */
	uint64_t moment; /* the other side's landed, when it last asked */
};

struct slot {
	uint32_t written[SIDES], read[SIDES];
};

static struct {
	/* The case: set by it before explore_all(). */
	void (*prepare)(void);
	int (*body[SIDES])(void);
	int wanted[SIDES]; /* results of these */
	unsigned char *slots;
	size_t item_bytes, n_slots;
	bool has_fences;          /* membarrier works */
	const void *known[SIDES]; /* between two operations: all */
	size_t known_bytes;       /* … and a multiple of 8 */

	/* One run. */
	struct side side[SIDES];
	int running; /* -1: neither, steps are taken at once */
	ucontext_t scheduler;
	struct word word[WORDS_MAX];
	size_t n_words;
	struct slot slot[SLOTS_MAX];
	const char *wrong;

	/* The search. */
	unsigned char choice[DEPTH_MAX], n_choices[DEPTH_MAX];
	size_t depth, replayed;
	uint64_t runs, states;
	uint64_t seen[1 << SEEN_BITS];
} explore;

static unsigned char explore_stack[SIDES][STACK_BYTES]
	__attribute__((aligned(64)));

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static void explore_fail(const char *wrong)
{
	if (!explore.wrong)
		explore.wrong = wrong;
}

/* ---- words ------------------------------------------------------------------ */

static uint64_t peek(const void *at, size_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, at, bytes);
	return value;
}

static struct word *word_at(void *at, size_t bytes)
{
	for (size_t i = 0; i < explore.n_words; i++)
		if (explore.word[i].at == at)
			return &explore.word[i];
	if (explore.n_words == WORDS_MAX) {
		explore_fail("more words than there is room for");
		return &explore.word[0];
	}
	explore.word[explore.n_words] = (struct word){.at = at, .bytes = bytes};
	return &explore.word[explore.n_words++];
}

static void join(struct clock *into, const struct clock *from)
{
	for (int i = 0; i < SIDES; i++)
		if (into->of[i] < from->of[i])
			into->of[i] = from->of[i];
}

static void land_one(struct side *side)
{
	const struct pending first = side->buffer[0];

	memcpy(first.at, &first.value, first.bytes);
	word_at(first.at, first.bytes)->clock = first.clock;
	side->landed++;
	side->n_pending--;
	memmove(side->buffer, side->buffer + 1,
		side->n_pending * sizeof(first));
}

static void land_all(struct side *side)
{
	while (side->n_pending)
		land_one(side);
}

static bool is_acquire(memory_order order)
{
	return order == memory_order_acquire || order == memory_order_acq_rel ||
	       order == memory_order_seq_cst;
}

static bool is_release(memory_order order)
{
	return order == memory_order_release || order == memory_order_acq_rel ||
	       order == memory_order_seq_cst;
}

/* Stop in front of a step; NULL where nothing is explored. */
static struct side *explore_step(void)
{
	struct side *side;

	if (explore.running < 0)
		return NULL;
	side = &explore.side[explore.running];
	swapcontext(&side->context, &explore.scheduler);
	return side;
}

static uint64_t explore_load(const void *at, size_t bytes, memory_order order)
{
	struct side *side = explore_step();
	uint64_t value = peek(at, bytes);

	if (!side)
		return value;
	for (size_t i = side->n_pending; i-- > 0;)
		if (side->buffer[i].at == at) {
			value = side->buffer[i].value;
			side->history = mix(side->history, value);
			return value;
		}
	if (is_acquire(order))
		join(&side->clock, &word_at((void *)at, bytes)->clock);
	side->history = mix(side->history, value);
	return value;
}

static void explore_store(void *at, size_t bytes, uint64_t value,
			  memory_order order)
{
	struct side *side = explore_step();
	struct pending *pending;

	if (!side) {
		memcpy(at, &value, bytes);
		return;
	}
	if (side->n_pending == BUFFER_MAX)
		land_one(side);
	pending = &side->buffer[side->n_pending++];
	*pending = (struct pending){.at = at, .bytes = bytes, .value = value};
	if (is_release(order))
		pending->clock = side->clock;
	side->history = mix(side->history, value);
	/* Sequentially consistent: with a fence behind it. */
	if (order == memory_order_seq_cst)
		land_all(side);
}

enum explore_change { CHANGE_OR, CHANGE_AND };

/* A read-modify-write: the buffer is emptied by it. */
static uint64_t explore_change(void *at, size_t bytes, enum explore_change how,
			       uint64_t operand, memory_order order)
{
	struct side *side = explore_step();
	uint64_t old, value;
	struct word *word;

	if (side)
		land_all(side);
	old = peek(at, bytes);
	value = how == CHANGE_OR ? old | operand : old & operand;
	memcpy(at, &value, bytes);
	if (!side)
		return old;
	word = word_at(at, bytes);
	if (is_acquire(order))
		join(&side->clock, &word->clock);
	if (is_release(order))
		join(&word->clock, &side->clock);
	side->landed++;
	side->history = mix(side->history, old);
	return old;
}

/* ---- slots ------------------------------------------------------------------ */

static void touch(const unsigned char *at, size_t bytes, bool is_write)
{
	const int self = explore.running, other = !self;
	struct clock *clock;

	if (self < 0 || bytes == 0 || at < explore.slots ||
	    at >= explore.slots + explore.n_slots * explore.item_bytes)
		return;
	/* Time is counted in accesses: each has a number that only later
	 * releases pass on. */
	clock = &explore.side[self].clock;
	clock->of[self]++;
	for (size_t i = (size_t)(at - explore.slots) / explore.item_bytes;
	     i * explore.item_bytes < (size_t)(at - explore.slots) + bytes;
	     i++) {
		struct slot *slot = &explore.slot[i];

		if (clock->of[other] < slot->written[other])
			explore_fail(
				"a slot is touched before the other side's "
				"writing of it is known to be over");
		if (is_write && clock->of[other] < slot->read[other])
			explore_fail(
				"a slot is written before the other side's "
				"reading of it is known to be over");
		*(is_write ? &slot->written[self] : &slot->read[self]) =
			clock->of[self];
	}
}

static void *explore_copy(void *to, const void *from, size_t bytes)
{
	touch(to, bytes, true);
	touch(from, bytes, false);
	return memcpy(to, from, bytes);
}

/* ---- waiting ------------------------------------------------------------------ */

/* Here a side knows no more than explore.known of it, and where it is: how it
 * came to know it is forgotten, which saves most states. */
static void explore_forget(uint64_t where)
{
	struct side *side = &explore.side[explore.running];
	const char *known = explore.known[explore.running];

	side->history = where;
	for (size_t i = 0; i < explore.known_bytes; i += sizeof(where))
		side->history =
			mix(side->history, peek(known + i, sizeof(where)));
}

/* Before a try that explore_await() follows when it comes to nothing. */
static void explore_try(void)
{
	explore_forget(1);
	explore.side[explore.running].moment =
		explore.side[!explore.running].landed;
}

/* What spsc_wait() asks before each sleep, when it knows nothing but the handle
 * tells. There is no time here. */
static bool explore_is_over(void)
{
	explore_forget(2);
	return false;
}

/* Until the other side has stored something since explore_try(). */
static void explore_await(void)
{
	explore.side[explore.running].wait = AWAITS;
	explore_step();
}

static int explore_futex_wait(const void *futex, uint32_t value)
{
	struct side *side = explore_step();

	land_all(side);
	if (peek(futex, sizeof(value)) != value)
		return 0;
	side->wait = SLEEPS;
	side->futex = futex;
	explore_step();
	return 0;
}

static void explore_futex_wake(const void *futex)
{
	struct side *side = explore_step(), *other;

	if (!side)
		return;
	land_all(side);
	other = &explore.side[!explore.running];
	if (other->wait == SLEEPS && other->futex == futex)
		other->wait = RUNS;
}

static int explore_fence_others(void)
{
	struct side *side = explore_step();

	if (!explore.has_fences)
		return -1;
	for (int i = 0; side && i < SIDES; i++)
		land_all(&explore.side[i]);
	return 0;
}

#endif
