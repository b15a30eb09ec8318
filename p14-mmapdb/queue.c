/* queue.c - the record lock decides who writes; the queue only decides who asks
 * for it when.
 *
 * fcntl(2) can wait for a record lock, but not until a deadline, and in no
 * order. So each writer draws a ticket, and sleeps on a futex until its number
 * is served; who leaves serves the next, and wakes that one alone. A writer that
 * is killed serves nobody, and a ticket whose owner has died or given up is
 * waited for in vain: so whoever waits tries the lock every PASS_OVER_NS, whoever
 * is to be served. */
#include "p14-mmapdb/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/tick.h"
#include "p14-mmapdb/lock.h"

#define PASS_OVER_NS (20 * TICK_MS)

/* Sleepers are told apart by their tickets' low five bits. */
static uint32_t bit_of(uint32_t ticket)
{
	return UINT32_C(1) << ticket % 32;
}

static int sleep_until(struct layout_state *state, uint32_t serving,
		       uint32_t ticket, int64_t moment)
{
	const struct timespec ts = tick_to_timespec(moment);

	if (syscall(SYS_futex, &state->serving, FUTEX_WAIT_BITSET, serving, &ts,
		    NULL, bit_of(ticket)) == 0 ||
	    errno == EAGAIN || errno == ETIMEDOUT)
		return 0;
	return -errno;
}

static void serve(struct layout_state *state, uint32_t ticket)
{
	/* Release: who is served sees what we did, even before it asks for the
	 * lock. Pairs with the acquire in queue_enter(). */
	__atomic_store_n(&state->serving, ticket, __ATOMIC_RELEASE);
	if (__atomic_load_n(&state->next, __ATOMIC_RELAXED) != ticket)
		syscall(SYS_futex, &state->serving, FUTEX_WAKE_BITSET,
			INT32_MAX, NULL, NULL, bit_of(ticket));
}

int queue_enter(struct mmapdb *db, int64_t deadline)
{
	struct layout_state *state = db->state;
	const uint32_t ticket =
		__atomic_fetch_add(&state->next, 1, __ATOMIC_RELAXED);
	int64_t pass_over = tick_after(PASS_OVER_NS);
	int error;

	db->ticket = ticket;
	for (;;) {
		const uint32_t serving =
			__atomic_load_n(&state->serving, __ATOMIC_ACQUIRE);
		const bool is_over = tick_is_over(deadline);

		error = -EAGAIN;
		if ((int32_t)(serving - ticket) >= 0 || is_over ||
		    tick_is_over(pass_over)) {
			error = lock_try(db->fd, LAYOUT_WRITER_BYTE, F_WRLCK);
			pass_over = tick_after(PASS_OVER_NS);
		}
		if (error != -EAGAIN || is_over)
			break;
		error = sleep_until(state, serving, ticket,
				    pass_over < deadline ? pass_over
							 : deadline);
		if (error)
			break;
	}
	if (error == 0) {
		__atomic_store_n(&state->writer_ns, db->pid_ns,
				 __ATOMIC_RELAXED);
		__atomic_store_n(&state->writer_pid, db->pid, __ATOMIC_RELAXED);
	} else if (__atomic_load_n(&state->serving, __ATOMIC_RELAXED) == ticket)
		serve(state, ticket + 1);
	return error == -EAGAIN ? -ETIMEDOUT : error;
}

void queue_leave(struct mmapdb *db)
{
	__atomic_store_n(&db->state->writer_pid, 0, __ATOMIC_RELAXED);
	lock_drop(db->fd, LAYOUT_WRITER_BYTE);
	serve(db->state, db->ticket + 1);
}

int32_t queue_writer(const struct mmapdb *db)
{
	if (!db->state || !lock_is_held(db->fd, LAYOUT_WRITER_BYTE, F_WRLCK))
		return 0;
	return handle_pid(
		db, __atomic_load_n(&db->state->writer_pid, __ATOMIC_RELAXED),
		__atomic_load_n(&db->state->writer_ns, __ATOMIC_RELAXED));
}
