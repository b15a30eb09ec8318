/* explore.h - run two sides in every order of their steps.
 *
 * A step is one access to an atomic word, one system call, or one store that
 * leaves a processor's buffer: until then nobody but the processor itself sees
 * it. The sides are coroutines that stop in front of each step; who goes on is
 * decided here, depth first, by running anew from the start for each decision.
 * A state that was met before is not gone into again. What a side does is
 * determined by what it has read, so a state is: what each has read, where the
 * words and the buffers stand.
 *
 * Slots are not atomic. That one side may touch them only after the other has
 * is checked by vector clocks, along release and acquire and nothing else, as
 * ThreadSanitizer does it: a memory order that is too weak is found, whatever
 * the processor this runs on would make of it.
 *
 * What is reordered is what x86 reorders (TSO): a load passes older stores of
 * its side, to other words. What is not:
 *
 *	- two loads of a side, or two stores, whatever their order says. So of
 *	  the words themselves (the flags, for who sleeps) this proves nothing for
 *	  Arm or POWER; of the slots it does, by the clocks
 *	- what a compiler may: steps come as the source has them, and
 *	  __atomic_signal_fence() is nothing here
 *	- a buffer has room for BUFFER_MAX stores, where processors have dozens
 *	- there is no time and no chance: no deadline is over, no sleep ends
 *	  without a wake-up, no handler runs, nobody dies (tests/models/spsc_sleep.pml
 *	  has deaths)
 *	- queues of up to 4 slots, and up to 5 items, which meet the end of the ring
 *	  and of the 64 bits once
 *
 * The macros at the end put these functions in the place of atomics, memcpy and
 * futexes in sources that are included after this header.
 */
#ifndef UNIXIPC_TESTS_P15_EXPLORE_H
#define UNIXIPC_TESTS_P15_EXPLORE_H

#include <sched.h>

#include "lib/park.h" /* before their macros */
#include "lib/tick.h"
#include "tests/p15/explore_steps.h"

/* ---- the search ------------------------------------------------------------- */

static void run_body(int index)
{
	int result = explore.body[index]();

	if (result != explore.wanted[index])
		explore_fail(index ? "the consumer's result is wrong"
				   : "the producer's result is wrong");
	explore_forget(4);
	explore.side[index].wait = FINISHED;
}

static bool has_news_since_try(const struct side *side)
{
	return explore.side[side == explore.side].landed > side->moment;
}

static bool can_run(const struct side *side)
{
	return side->wait == RUNS ||
	       (side->wait == AWAITS && has_news_since_try(side));
}

/* What can come next: 0 and 1 are the sides, 2 and 3 their buffers. */
static int list_choices(unsigned char choices[2 * SIDES])
{
	int n = 0;

	for (int i = 0; i < SIDES; i++)
		if (can_run(&explore.side[i]))
			choices[n++] = (unsigned char)i;
	for (int i = 0; i < SIDES; i++)
		if (explore.side[i].n_pending)
			choices[n++] = (unsigned char)(SIDES + i);
	return n;
}

static uint64_t hash_state(void)
{
	uint64_t hash = 1;

	for (int i = 0; i < SIDES; i++) {
		const struct side *side = &explore.side[i];

		hash = mix(hash, side->history);
		hash = mix(hash, side->wait);
		hash = mix(hash, has_news_since_try(side));
		hash = mix(hash, side->n_pending);
		for (size_t k = 0; k < side->n_pending; k++)
			hash = mix(mix(hash, side->buffer[k].value),
				   (uintptr_t)side->buffer[k].at);
		for (int k = 0; k < SIDES; k++)
			hash = mix(hash, side->clock.of[k]);
	}
	for (size_t i = 0; i < explore.n_words; i++) {
		const struct word *word = &explore.word[i];

		/* In any order: who came first does not matter. */
		hash += mix(mix(mix((uintptr_t)word->at,
				    peek(word->at, word->bytes)),
				word->clock.of[0]),
			    word->clock.of[1]);
	}
	return mix(hash, 0) | 1;
}

/* Whether the state is new; it is not from now on. */
static bool is_new(uint64_t hash)
{
	size_t mask = (1u << SEEN_BITS) - 1, i = hash & mask;

	for (; explore.seen[i]; i = (i + 1) & mask)
		if (explore.seen[i] == hash)
			return false;
	if (++explore.states > mask / 2) {
		explore_fail("more states than there is room for");
		return false;
	}
	explore.seen[i] = hash;
	return true;
}

static void begin_run(void)
{
	explore.runs++;
	explore.running = -1;
	explore.n_words = 0;
	memset(explore.side, 0, sizeof(explore.side));
	memset(explore.slot, 0, sizeof(explore.slot));
	explore.prepare();
	for (int i = 0; i < SIDES; i++) {
		struct side *side = &explore.side[i];

		getcontext(&side->context);
		side->context.uc_stack.ss_sp = explore_stack[i];
		side->context.uc_stack.ss_size = STACK_BYTES;
		side->context.uc_link = &explore.scheduler;
		makecontext(&side->context, (void (*)(void))run_body, 1, i);
	}
}

static void resume(int i)
{
	explore.side[i].wait = RUNS;
	/* How often it went on is a part of where it stands. */
	explore.side[i].history = mix(explore.side[i].history, 1);
	explore.running = i;
	swapcontext(&explore.scheduler, &explore.side[i].context);
	explore.running = -1;
}

/* From the start: as decided so far, and the first of what can come from then
 * on, until the end or a state that was met. */
static void run_once(void)
{
	begin_run();
	for (size_t at = 0; !explore.wrong; at++) {
		unsigned char choices[2 * SIDES];
		int n = list_choices(choices);

		if (n == 0)
			break;
		if (at == DEPTH_MAX) {
			explore_fail("it does not end");
			return;
		}
		if (at >= explore.replayed) {
			if (!is_new(hash_state()))
				return;
			explore.choice[at] = 0;
			explore.n_choices[at] = (unsigned char)n;
			explore.depth = at + 1;
		}
		n = choices[explore.choice[at]];
		if (n < SIDES)
			resume(n);
		else
			land_one(&explore.side[n - SIDES]);
	}
	for (int i = 0; i < SIDES; i++)
		if (explore.side[i].wait != FINISHED)
			explore_fail("nobody can go on");
}

/* All runs, until one is wrong; whether none is. */
static bool explore_all(void)
{
	memset(explore.seen, 0, sizeof(explore.seen));
	explore.depth = explore.replayed = 0;
	explore.runs = explore.states = 0;
	explore.wrong = NULL;
	do {
		run_once();
		while (explore.depth &&
		       explore.choice[explore.depth - 1] + 1 ==
			       explore.n_choices[explore.depth - 1])
			explore.depth--;
		if (explore.depth)
			explore.choice[explore.depth - 1]++;
		explore.replayed = explore.depth;
	} while (explore.depth && !explore.wrong);
	if (explore.wrong)
		print_message("after %ju runs, %ju states: %s\n",
			      (uintmax_t)explore.runs,
			      (uintmax_t)explore.states, explore.wrong);
	return !explore.wrong;
}

/* ---- what the sources get instead ------------------------------------------- */

#define EXPLORE_TYPE(at) __typeof__(*(at) + 0)
/* The result may be of no use, and no compiler is to mind. */
#define EXPLORE_CHANGE(at, how, operand, order)                          \
	__extension__({                                                  \
		EXPLORE_TYPE(at)                                         \
		explore_old = (EXPLORE_TYPE(at))explore_change(          \
			(at), sizeof(*(at)), (how), (operand), (order)); \
		explore_old;                                             \
	})

#undef __atomic_load_n
#define __atomic_load_n(at, order) \
	((EXPLORE_TYPE(at))explore_load((at), sizeof(*(at)), (order)))
#undef __atomic_store_n
#define __atomic_store_n(at, value, order) \
	explore_store((at), sizeof(*(at)), (value), (order))
#undef __atomic_fetch_or
#define __atomic_fetch_or(at, operand, order) \
	EXPLORE_CHANGE(at, CHANGE_OR, operand, order)
#undef __atomic_fetch_and
#define __atomic_fetch_and(at, operand, order) \
	EXPLORE_CHANGE(at, CHANGE_AND, operand, order)
#undef __atomic_signal_fence
#define __atomic_signal_fence(order) ((void)(order))
#define memcpy(to, from, bytes) explore_copy((to), (from), (bytes))
/* Who asks for the time is about to sleep: see explore_is_over(). */
#define tick_is_over(deadline) ((void)(deadline), explore_is_over())

/* In the place of lib/park, and of where we run. */
#define sched_getcpu() 0
#define park_word_sleep(word, value, deadline, is_shared) \
	((void)(deadline), (void)(is_shared),             \
	 explore_futex_wait((word), (value)))
#define park_word_wake(word, sleepers, is_shared) \
	((void)(sleepers), (void)(is_shared), explore_futex_wake(word))
#define park_fence_accept() (explore.has_fences ? 0 : -1)
#define park_fence_others() explore_fence_others()

#endif
