/* park.h - sleep on a word in memory, and be woken.
 *
 * Four layers, of which each needs the one before:
 *
 *	spinning	instructions for a loop that looks at a word
 *	a word		futex(2): the kernel lets a thread sleep while a word
 *			has a value
 *	fences		for two sides without a lock, of which one says that it
 *			sleeps and the other looks whether somebody does
 *	struct park	a condition variable, for those who have a lock, that
 *			survives the death of any of them
 *
 * Everything may lie in memory that processes share, at another address in
 * each; is_shared says so, and is the same for all who use a word (private
 * words cost the kernel less). Words are plain integers, for any compiler of C
 * and C++, and touched by __atomic_* alone where no lock guards them. Nothing
 * here trusts them: who writes over a word can wake sleepers, or keep a
 * wake-up from them until their deadline, and no more.
 *
 * A sleep ends at a deadline (lib/tick.h, TICK_NEVER for none) and returns 0,
 * also for no reason at all, -ETIMEDOUT, -EINTR when a signal handler ran, or
 * -EFAULT when the memory is gone. 0 means "look again", and nothing else. A
 * wake-up can be lost with a process that is killed: the one that was to send
 * it, or the one that it was spent on. So where processes share a word, sleep
 * for a limited time, and look again.
 *
 * Nothing is kept outside the word: fork, exec, namespaces and closed
 * descriptors change nothing.
 */
#ifndef UNIXIPC_LIB_PARK_H
#define UNIXIPC_LIB_PARK_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- spinning ---- */

/* Between two looks: let a neighbour on the same core run, and leave the line to
 * its writer. On ARM, yield does nothing where a core runs one thread. */
static inline __attribute__((always_inline)) void park_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}

/* Have a line, to write to it, before long. __builtin_prefetch is not that on
 * x86 unless told of the processor, as the first x86-64 had none: the line comes
 * to be read, and a store has to ask the other processor once more. Where there
 * is no such instruction it does nothing. */
static inline __attribute__((always_inline)) void park_prefetch_to_write(
	const void *line)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)line));
#else
	__builtin_prefetch(line, 1);
#endif
}

/* ---- a word ---- */

/* Sleep if *word is value, which the kernel looks at under a lock of its own:
 * who changes the word and then wakes it misses nobody. */
int park_word_sleep(const uint32_t *word, uint32_t value, int64_t deadline,
		    bool is_shared);

/* Wake up to so many who sleep on it (INT32_MAX: all). No byte of the word is
 * read or written: it may even be gone by now, and then nobody is woken, or
 * somebody for no reason, who looks again. */
void park_word_wake(const uint32_t *word, int32_t sleepers, bool is_shared);

/* The same for sleepers of which not all wait for the same thing: each has some
 * bits, not 0, and all are woken that have one of these. */
int park_word_sleep_as(const uint32_t *word, uint32_t value, uint32_t bits,
		       int64_t deadline, bool is_shared);
void park_word_wake_those(const uint32_t *word, uint32_t bits, bool is_shared);

/* ---- fences ----
 *
 *	who sleeps                      who publishes, with every item
 *	asleep = 1                      index = …
 *	---- fence ----                 ---- fence ----
 *	index unchanged? sleep          asleep? then wake
 *
 * With both fences, at least one of the two sees what the other wrote. The
 * publisher's, for every item, costs more than the item does; so the sleeper
 * has it executed there, by membarrier(2), when it matters. */

/* Have park_fence_others(), called in whatever process, reach this one. Once in
 * each; a forked child inherits it, exec ends it. Returns 0, or -errno when the
 * kernel cannot: then this process fences with every item. */
int park_fence_accept(void);

/* A full fence here, and on every processor that runs a process which accepts
 * them. -errno as above. */
int park_fence_others(void);

/* ---- a condition variable that survives the death of waiters ----
 *
 * pthread_cond_t, in the C library, is no such thing, robust mutex or not: it
 * counts who waits and who has been signalled. A process that is killed there,
 * or only stopped, is counted, and a later signal or broadcast waits for it to
 * leave (its bug 21422); or it dies with the variable's own inner lock taken.
 * Either way the rest hangs, with the mutex held.
 *
 * So this one counts nothing, and waking waits for nobody. It has a number that
 * changes with each wake-up, on which sleepers sleep, and one bit: somebody
 * may be asleep. A death can leave the bit set, which costs one system call,
 * or make a wake-up vanish, which no variable can help.
 *
 * One wake-up is on its way at a time: claiming it clears the bit, and who wakes
 * up sets it again, as there may be others. Who was woken and does not need
 * what it was woken for has to pass it on. The model is tests/models/park_cond.pml.
 *
 *	lock                               lock
 *	while it is not so:                make it so
 *		ticket = park_announce()   claimed = park_claim()
 *		unlock                     unlock
 *		park_sleep(ticket)         if claimed: park_wake()
 *		lock
 *		park_awake()
 */
struct park {
	uint32_t wakeups;
	uint32_t is_awaited; /* under the lock */
};

/* Holding the lock: announce that we go to sleep. Returns what to give to
 * park_sleep(). */
uint32_t park_announce(struct park *park);

/* Without the lock: sleep until somebody has claimed a wake-up since the
 * announcement. Then take the lock, and say park_awake(). */
int park_sleep(const struct park *park, uint32_t ticket, int64_t deadline,
	       bool is_shared);
void park_awake(struct park *park);

/* Holding the lock: whether somebody is to be woken. If so, who is on its way to
 * sleep does not sleep any more; call park_wake() for those who do, best when
 * the lock is free again, as they would run into it. */
bool park_claim(struct park *park);

/* Wake one, or all, who sleep. They do not touch it: see park_word_wake(). */
void park_wake(const struct park *park, bool is_shared);
void park_wake_all(const struct park *park, bool is_shared);

/* The same with no lock and no claim: all look again. */
void park_alarm(struct park *park, bool is_shared);

#ifdef __cplusplus
}
#endif

#endif
