/* The idea: one lock around a ring, and two conditions. A put copies the item
 * into its slot and then counts it, a take copies it out and then counts it;
 * the count is one store, so that at every instruction, the last of a killed
 * process included, the item is either in or not.
 *
 * Invariant, whenever the lock is free: nobody who could go on is asleep,
 * unless a wake-up is on its way. leave() keeps it. Without sharing a wake-up
 * cannot be lost; with it, see wait_for().
 *
 * Locks: the one of the buffer, and nothing else is done while it is held.
 */
#include "p07-prodcons/bounded.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "lib/tick.h"
#include "p07-prodcons/bounded_layout.h"

/* ---- making one ---- */

size_t bounded_bytes(uint32_t capacity, uint32_t item_bytes)
{
	uint64_t slots = (uint64_t)capacity * item_bytes;

	if (capacity == 0 || capacity > BOUNDED_CAPACITY_MAX ||
	    item_bytes == 0 || item_bytes > BOUNDED_ITEM_MAX ||
	    slots > BOUNDED_BYTES_MAX - BOUNDED_LAYOUT_SLOTS)
		return 0;
	return BOUNDED_LAYOUT_SLOTS + (size_t)slots;
}

static int init_lock(pthread_mutex_t *lock, bool is_shared)
{
	pthread_mutexattr_t attr;
	int error;

	error = pthread_mutexattr_init(&attr);
	if (error)
		return -error;
	if (is_shared) {
		/* Without the first, POSIX lets no other process use it (glibc
		 * would: its robust ones are always shared); without the
		 * second, all would be left asleep once an owner died. */
		error = pthread_mutexattr_setpshared(&attr,
						     PTHREAD_PROCESS_SHARED);
		if (!error)
			error = pthread_mutexattr_setrobust(
				&attr, PTHREAD_MUTEX_ROBUST);
	}
	if (!error)
		error = pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return -error;
}

int bounded_init(struct bounded *buffer, void *memory, uint32_t capacity,
		 uint32_t item_bytes, bool is_shared)
{
	struct bounded_state *state = memory;
	size_t size = bounded_bytes(capacity, item_bytes);
	int error = 0;

	if (size == 0)
		return -EINVAL;
	memset(state, 0, sizeof(*state));
	state->version = BOUNDED_LAYOUT_VERSION;
	state->lock_bytes = sizeof(state->lock);
	state->capacity = capacity;
	state->item_bytes = item_bytes;
	if (is_shared)
		error = identity_place_here(&state->place);
	if (!error)
		error = init_lock(&state->lock, is_shared);
	if (error)
		return error;
	/* Publishes all of it; pairs with the acquire in bounded_layout_attach(). */
	atomic_store_explicit(&state->magic, BOUNDED_LAYOUT_MAGIC,
			      memory_order_release);
	return bounded_layout_attach(buffer, memory, size, is_shared);
}

int bounded_layout_attach(struct bounded *buffer, void *memory, size_t size,
			  bool is_shared)
{
	struct bounded_state *state = memory;
	size_t needed;

	if (size < BOUNDED_LAYOUT_SLOTS)
		return -EBADMSG;
	if (atomic_load_explicit(&state->magic, memory_order_acquire) !=
		    BOUNDED_LAYOUT_MAGIC ||
	    state->version != BOUNDED_LAYOUT_VERSION ||
	    state->lock_bytes != sizeof(state->lock))
		return -EBADMSG;
	/* From here on these two are ours, whatever is written there. */
	*buffer = (struct bounded){
		.state = state,
		.slots = (unsigned char *)memory + BOUNDED_LAYOUT_SLOTS,
		.capacity = state->capacity,
		.item_bytes = state->item_bytes,
		.is_shared = is_shared,
	};
	needed = bounded_bytes(buffer->capacity, buffer->item_bytes);
	return needed == 0 || needed > size ? -EBADMSG : 0;
}

void bounded_fini(struct bounded *buffer)
{
	if (buffer->state)
		pthread_mutex_destroy(&buffer->state->lock);
	buffer->state = NULL;
}

/* ---- what is in it, under the lock ---- */

/* Relaxed: the lock orders these. They are atomic for their being written by
 * one store, behind the copy: see count(). */
static uint64_t counted(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static uint64_t held(const struct bounded *buffer)
{
	return counted(&buffer->state->put) - counted(&buffer->state->taken);
}

static bool is_full(const struct bounded *buffer)
{
	return held(buffer) == buffer->capacity;
}

static bool is_empty(const struct bounded *buffer)
{
	return held(buffer) == 0;
}

static void *slot(const struct bounded *buffer, uint64_t number)
{
	return buffer->slots +
	       number % buffer->capacity * (size_t)buffer->item_bytes;
}

/* The item has been copied: this makes it so. Release, for nobody may see the
 * count without the copy, not even who mends what a killed process left; pairs
 * with the mutex that tells of the death. */
static void count(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter, counted(counter) + 1,
			      memory_order_release);
}

/* ---- in and out of the lock ---- */

/* The owner died. Every state it can have left is a sound one; but it may
 * have claimed a wake-up and not sent it. */
static void mend(struct bounded *buffer)
{
	struct bounded_state *state = buffer->state;

	state->mended++;
	state->not_full.is_awaited = true;
	state->not_empty.is_awaited = true;
	pthread_mutex_consistent(&state->lock);
}

/* When to look again, at the latest. A wake-up dies with the process that was
 * to send it or to receive it, at a condition as at the lock; then this is what
 * saves the others. At the lock: an unlock wakes one who waits. If that one is
 * killed before it has the lock, and another was quicker, this other does not
 * know that more are waiting, and wakes nobody: the C library keeps that in the
 * mutex's own word, and the kernel passes a dead one's wake-up on only while
 * the mutex is free. */
static int64_t look_again(const struct bounded *buffer, int64_t deadline)
{
	int64_t soon;

	if (!buffer->is_shared)
		return deadline;
	soon = tick_after(BOUNDED_LOOK_AGAIN_NS);
	return soon < deadline ? soon : deadline;
}

static int lock_until(struct bounded *buffer, int64_t deadline)
{
	struct timespec until;
	int error;

	/* pthread_mutex_clocklock(3) would take the monotonic clock; but older
	 * ThreadSanitizers do not know it, and report the unlock instead. */
	do {
		until = tick_to_realtime(look_again(buffer, deadline));
		error = pthread_mutex_timedlock(&buffer->state->lock, &until);
	} while (error == ETIMEDOUT && !tick_is_over(deadline));
	return error;
}

/* Returns 0; -EOWNERDEAD: we have it, as its owner died; -ETIMEDOUT; or
 * -EBADMSG: there is no mutex. */
static int take_lock(struct bounded *buffer, int64_t deadline)
{
	pthread_mutex_t *lock = &buffer->state->lock;
	/* Free, most of the time: then no clock is read. */
	int error = pthread_mutex_trylock(lock);

	if (error == EBUSY) {
		/* Its holder needs a moment, or a processor: ours. With a
		 * sleeper less the lock stays one of user space, which doubles
		 * the throughput of a crowd; once is enough for that. */
		sched_yield();
		error = pthread_mutex_trylock(lock);
	}
	if (error == EBUSY)
		error = lock_until(buffer, deadline);
	if (error == 0 || error == EOWNERDEAD || error == ETIMEDOUT)
		return -error;
	/* EINVAL, ENOTRECOVERABLE, EAGAIN: our own use leads to none of them. */
	return -EBADMSG;
}

static void wake_everybody(struct bounded *buffer)
{
	park_alarm(&buffer->state->not_full, buffer->is_shared);
	park_alarm(&buffer->state->not_empty, buffer->is_shared);
}

static int enter(struct bounded *buffer, int64_t deadline)
{
	int error = take_lock(buffer, deadline);

	if (error == -EOWNERDEAD)
		mend(buffer);
	else if (error)
		return error;
	if (held(buffer) <= buffer->capacity)
		return 0;
	pthread_mutex_unlock(&buffer->state->lock);
	/* Nobody can do anything here any more, so nobody is to sleep on. */
	wake_everybody(buffer);
	return -EBADMSG;
}

/* Let the lock go, and wake who can go on: one of each side. It wakes the next
 * one if there is enough for two, and so on; so a burst of items does not wake
 * everybody at once, to find that the first has taken them all. The system
 * call is made without the lock, or who wakes up would run into it. */
static void leave(struct bounded *buffer)
{
	struct bounded_state *state = buffer->state;
	bool wakes_producer = !is_full(buffer) && park_claim(&state->not_full);
	bool wakes_consumer =
		!is_empty(buffer) && park_claim(&state->not_empty);

	pthread_mutex_unlock(&state->lock);
	if (wakes_producer)
		park_wake(&state->not_full, buffer->is_shared);
	if (wakes_consumer)
		park_wake(&state->not_empty, buffer->is_shared);
}

static int leave_with(struct bounded *buffer, int error)
{
	leave(buffer);
	return error;
}

/* ---- waiting ---- */

/* One call of put or take, as far as it waits. */
struct visit {
	int64_t deadline;
	uint64_t *waits; /* the figure in which it counts */
	bool has_waited;
	int late; /* -ETIMEDOUT or -EINTR, once it is */
};

static int sleep_on(struct bounded *buffer, struct park *cond,
		    struct visit *visit)
{
	uint32_t ticket = park_announce(cond);
	int error;

	leave(buffer);
	error = park_sleep(cond, ticket, look_again(buffer, visit->deadline),
			   buffer->is_shared);
	if (error == -EINTR || tick_is_over(visit->deadline))
		visit->late = error == -EINTR ? -EINTR : -ETIMEDOUT;
	error = enter(buffer, visit->deadline);
	if (error) /* and no lock: another may have what we were woken for */
		park_alarm(cond, buffer->is_shared);
	else
		park_awake(cond);
	return error;
}

/* Wait, without the lock, until cond may have become true. Returns 0 with the
 * lock: ask again, as somebody else may have been quicker, or there was no
 * reason at all. Or an error without the lock, only after asking once more. */
static int wait_for(struct bounded *buffer, struct park *cond,
		    struct visit *visit)
{
	if (!visit->has_waited && tick_is_over(visit->deadline))
		visit->late = -ETIMEDOUT;
	if (visit->late)
		return leave_with(buffer, visit->late);
	if (visit->has_waited)
		return sleep_on(buffer, cond, visit);
	/* Once, and not in a loop: where members share a processor, the other
	 * side runs now, and often there is room, or an item, when we come
	 * back; many of them, even. Nobody was put to sleep and woken, which
	 * costs more than all the rest. */
	visit->has_waited = true;
	++*visit->waits;
	leave(buffer);
	sched_yield();
	return enter(buffer, visit->deadline);
}

/* ---- use ---- */

int bounded_put(struct bounded *buffer, const void *item, int64_t deadline)
{
	struct bounded_state *state = buffer->state;
	struct visit visit = {.deadline = deadline,
			      .waits = &state->full_waits};
	int error = enter(buffer, deadline);

	while (!error && is_full(buffer) && !state->is_finished)
		error = wait_for(buffer, &state->not_full, &visit);
	if (error)
		return error;
	if (state->is_finished)
		return leave_with(buffer, -EPIPE);
	memcpy(slot(buffer, counted(&state->put)), item, buffer->item_bytes);
	count(&state->put);
	leave(buffer);
	return 0;
}

int bounded_take(struct bounded *buffer, void *item, int64_t deadline)
{
	struct bounded_state *state = buffer->state;
	struct visit visit = {.deadline = deadline,
			      .waits = &state->empty_waits};
	int error = enter(buffer, deadline);

	while (!error && is_empty(buffer) && !state->is_finished)
		error = wait_for(buffer, &state->not_empty, &visit);
	if (error)
		return error;
	if (is_empty(buffer) && state->is_finished)
		return leave_with(buffer, -EPIPE);
	memcpy(item, slot(buffer, counted(&state->taken)), buffer->item_bytes);
	count(&state->taken);
	leave(buffer);
	return 0;
}

int bounded_finish(struct bounded *buffer, int64_t deadline)
{
	struct bounded_state *state = buffer->state;
	int error = enter(buffer, deadline);

	if (error)
		return error;
	state->is_finished = true;
	leave(buffer);
	/* It is news to each of them; and who is told does not pass it on, as
	 * leave() would. */
	wake_everybody(buffer);
	return 0;
}

int bounded_look(struct bounded *buffer, struct bounded_figures *figures,
		 int64_t deadline)
{
	struct bounded_state *state = buffer->state;
	int error = enter(buffer, deadline);

	if (error)
		return error;
	*figures = (struct bounded_figures){
		.put = counted(&state->put),
		.taken = counted(&state->taken),
		.full_waits = state->full_waits,
		.empty_waits = state->empty_waits,
		.mended = state->mended,
		.is_finished = state->is_finished,
	};
	leave(buffer);
	return 0;
}
