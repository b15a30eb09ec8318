/* bounded.h - a bounded buffer: producers put items, consumers take them.
 *
 * First in, first out, for any number of threads or of processes; items have
 * one size and are copied. Who finds it full, or empty, sleeps (UNP2 7, OSTEP
 * 30).
 *
 * A shared one, in memory that processes map, outlives their deaths: who is
 * killed while it holds the lock leaves a buffer that the next one mends, as
 * putting and taking come into effect by one store; what it was about to put
 * is not there, what it was about to take still is. A killed process may also
 * take a wake-up with it that was meant for the others. So nobody relies on
 * being woken: in a shared buffer each looks for itself after
 * BOUNDED_LOOK_AGAIN_NS at the latest.
 *
 * All functions return 0 or -errno. Any thread may call them at any time, on
 * one handle too, except where they make or end a buffer.
 */
#ifndef UNIXIPC_P07_PRODCONS_BOUNDED_H
#define UNIXIPC_P07_PRODCONS_BOUNDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BOUNDED_CAPACITY_MAX (UINT32_C(1) << 24) /* items */
#define BOUNDED_ITEM_MAX (UINT32_C(1) << 20)     /* bytes of one */
#define BOUNDED_BYTES_MAX (UINT64_C(1) << 32)    /* of all its memory */
#define BOUNDED_LOOK_AGAIN_NS INT64_C(100000000)

struct bounded_state; /* what all share */

/* A handle. Its owner writes nothing here. */
struct bounded {
	struct bounded_state *state;
	unsigned char *slots;
	uint32_t capacity, item_bytes;
	bool is_shared;
};

/* ---- in memory of the caller's ---- */

/* How much it takes; 0 when capacity or item_bytes are 0, or too large. */
size_t bounded_bytes(uint32_t capacity, uint32_t item_bytes);

/* Make an empty one in that much memory, aligned as by malloc(3). is_shared:
 * the memory is mapped MAP_SHARED, and forked processes use copies of this
 * handle, all in one PID namespace. Returns 0, -EINVAL (sizes), -ENOSYS (shared,
 * and /proc does not tell where we are) or what pthread_mutex_init(3) says. */
int bounded_init(struct bounded *buffer, void *memory, uint32_t capacity,
		 uint32_t item_bytes, bool is_shared);

/* When nobody uses it any more. Twice is nothing. */
void bounded_fini(struct bounded *buffer);

/* ---- by name, for processes that are not related ---- */

/* Make a shared one that others open by its name ("/jobs", in /dev/shm) and
 * with these permissions; it stays until bounded_remove(). Returns 0, -EINVAL
 * (sizes, or no name for an object), -EEXIST, -ENOSPC, -EACCES, -ENOSYS, ...
 *
 * Who may write it, by these permissions, is trusted with the processes that
 * use it: see bounded_open_of(). */
int bounded_create(struct bounded *buffer, const char *name, uint32_t capacity,
		   uint32_t item_bytes, unsigned int mode);

/* Open one that this user made (geteuid(2)), and wait until the deadline for its
 * creator to finish making it. Returns 0, -ENOENT, -ETIMEDOUT (half-made: its
 * creator seems to have died; remove it), -EBADMSG (something else, of another
 * version, or of a program whose words have another size), -EACCES (also:
 * another user made it), -EXDEV, -ENOSYS, ...
 *
 * -EXDEV: it was made in another PID namespace. The kernel tells of a dead owner
 * of the lock by its thread id, as its own namespace counts: a process that is
 * killed while it waits, and has the number that the owner has elsewhere, would
 * have the owner taken for dead while it lives. */
int bounded_open(struct bounded *buffer, const char *name, int64_t deadline);

/* The same of one that the user owner made; that it is his is checked. Whoever
 * can write the memory, that is its owner and whom its mode lets, can make the
 * processes that use it
 *	abort or crash, as the C library believes what a mutex says
 *	die of SIGBUS, by truncating the object
 *	wait beyond their deadlines: no call here is sure to return
 *	take any items, or none
 * but not read or write anything else. So insist only on what belongs to a user
 * whom you would let do this, and then in a process that may die. */
int bounded_open_of(struct bounded *buffer, const char *name, uid_t owner,
		    int64_t deadline);

/* Of a handle from create or open; the buffer stays as it is. Twice, and after one
 * of them failed, is nothing. */
void bounded_close(struct bounded *buffer);

/* Take the name away. Who has it open goes on using it. */
int bounded_remove(const char *name);

/* ---- use ---- */

/* Put one item in; take the oldest out. They wait until the deadline for room,
 * or for an item: one that is in the past only tries, and then -ETIMEDOUT may
 * also mean that another had the lock. Return
 *	0
 *	-ETIMEDOUT
 *	-EINTR		a signal handler ran while we slept
 *	-EPIPE		finished: nothing more is put in, and what was there has
 *			been taken
 *	-EBADMSG	somebody has written over the buffer
 * Items of one producer are taken in the order in which it put them. */
int bounded_put(struct bounded *buffer, const void *item, int64_t deadline);
int bounded_take(struct bounded *buffer, void *item, int64_t deadline);

/* No more items: those who wait for room, and later puts, get -EPIPE; takers
 * get what is left, and then -EPIPE. May be repeated. Waits for the lock alone,
 * until the deadline: -ETIMEDOUT. */
int bounded_finish(struct bounded *buffer, int64_t deadline);

/* What happened so far. */
struct bounded_figures {
	uint64_t put, taken;
	uint64_t full_waits;  /* puts that found no room */
	uint64_t empty_waits; /* takes that found no item */
	uint64_t mended;      /* times somebody died holding the lock */
	bool is_finished;
};
int bounded_look(struct bounded *buffer, struct bounded_figures *figures,
		 int64_t deadline);

#ifdef __cplusplus
}
#endif

#endif
