/* writer.c - the record lock decides who writes; the queue only decides who asks
 * for it when.
 *
 * fcntl(2) can wait for a record lock, but not until a deadline, and in no
 * order. So each writer draws a ticket, and sleeps on a futex until its number
 * is served; who leaves serves the next, and wakes that one alone. A writer that
 * is killed serves nobody, and a ticket whose owner has died or given up is
 * waited for in vain: so whoever waits tries the lock every PASS_OVER_NS, whoever
 * is to be served.
 *
 * To wake somebody takes longer than most transactions. So whoever comes, and is
 * running, may take a lock that is free, and overtake those who sleep: until the
 * one that is served has been overtaken for OVERTAKE_NS, and says so.
 *
 * The lock lies in the database file, which a compaction replaces: so whoever has
 * it looks whether it still has the right file. */
#include "p14-mmapdb/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/park.h"
#include "lib/tick.h"
#include "p14-mmapdb/lock.h"
#include "p14-mmapdb/map.h"
#include "p14-mmapdb/newfile.h"
#include "p14-mmapdb/shared.h"

#define PASS_OVER_NS (20 * TICK_MS)
#define OVERTAKE_NS TICK_MS

/* ---- the lock ---- */

/* Sleepers are told apart by their tickets' low five bits. */
static uint32_t bit_of(uint32_t ticket)
{
	return UINT32_C(1) << ticket % 32;
}

static int sleep_until(struct layout_state *state, uint32_t turns,
		       uint32_t ticket, int64_t moment)
{
	int error = park_word_sleep_as(&state->turns, turns, bit_of(ticket),
				       moment, true);

	return error == -ETIMEDOUT ? 0 : error;
}

/* Somebody else can have the lock: wake the one that is served. */
static void wake_served(struct layout_state *state)
{
	const uint32_t serving =
		__atomic_load_n(&state->serving, __ATOMIC_RELAXED);

	/* Whoever is about to sleep finds this changed. */
	__atomic_fetch_add(&state->turns, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&state->next, __ATOMIC_SEQ_CST) != serving)
		park_word_wake_those(&state->turns, bit_of(serving), true);
}

static void serve(struct layout_state *state, uint32_t ticket)
{
	/* Release: who is served sees what we did, even before it asks for the
	 * lock. Pairs with the acquire in wait_for_turn(). */
	__atomic_store_n(&state->serving, ticket, __ATOMIC_RELEASE);
	wake_served(state);
}

/* Wait in the queue, and get the lock. */
static int wait_for_turn(struct mmapdb *db, int64_t deadline)
{
	struct layout_state *state = db->state;
	const uint32_t ticket =
		__atomic_fetch_add(&state->next, 1, __ATOMIC_SEQ_CST);
	int64_t pass_over = tick_after(PASS_OVER_NS), overdue = TICK_NEVER;
	int error;

	db->ticket = ticket;
	for (;;) {
		const uint32_t turns =
			__atomic_load_n(&state->turns, __ATOMIC_SEQ_CST);
		const uint32_t serving =
			__atomic_load_n(&state->serving, __ATOMIC_ACQUIRE);
		const bool is_served = (int32_t)(serving - ticket) >= 0;
		const bool is_over = tick_is_over(deadline);

		error = -EAGAIN;
		if (is_served || is_over || tick_is_over(pass_over)) {
			error = lock_try(db->fd, LAYOUT_WRITER_BYTE, F_WRLCK);
			pass_over = tick_after(PASS_OVER_NS);
		}
		if (error != -EAGAIN || is_over)
			break;
		if (is_served && overdue == TICK_NEVER)
			overdue = tick_after(OVERTAKE_NS);
		if (tick_is_over(overdue))
			__atomic_store_n(&state->overdue, 1, __ATOMIC_RELAXED);
		error = sleep_until(state, turns, ticket,
				    pass_over < deadline ? pass_over
							 : deadline);
		if (error)
			break;
	}
	if (error == 0)
		__atomic_store_n(&state->overdue, 0, __ATOMIC_RELAXED);
	else if (__atomic_load_n(&state->serving, __ATOMIC_RELAXED) == ticket)
		serve(state, ticket + 1);
	return error == -EAGAIN ? -ETIMEDOUT : error;
}

static int take_lock(struct mmapdb *db, int64_t deadline)
{
	struct layout_state *state = db->state;
	int error = -EAGAIN;

	if (!__atomic_load_n(&state->overdue, __ATOMIC_RELAXED))
		error = lock_try(db->fd, LAYOUT_WRITER_BYTE, F_WRLCK);
	db->has_ticket = error == -EAGAIN;
	if (db->has_ticket)
		error = wait_for_turn(db, deadline);
	if (error)
		return error;
	__atomic_store_n(&state->writer_ns, db->pid_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&state->writer_pid, db->pid, __ATOMIC_RELAXED);
	return 0;
}

void writer_leave(struct mmapdb *db)
{
	__atomic_store_n(&db->state->writer_pid, 0, __ATOMIC_RELAXED);
	lock_drop(db->fd, LAYOUT_WRITER_BYTE);
	if (db->has_ticket)
		serve(db->state, db->ticket + 1);
	else
		wake_served(db->state);
}

int32_t writer_pid(const struct mmapdb *db)
{
	if (!db->state || !lock_is_held(db->fd, LAYOUT_WRITER_BYTE, F_WRLCK))
		return 0;
	return handle_pid(
		db, __atomic_load_n(&db->state->writer_pid, __ATOMIC_RELAXED),
		__atomic_load_n(&db->state->writer_ns, __ATOMIC_RELAXED));
}

/* ---- the file ---- */

int writer_settle(struct mmapdb *db)
{
	struct layout_state *state = db->state;
	bool is_ours = shared_is_ours(db);
	struct stat st;
	int error = 0;

	if (fstat(db->lock_fd, &st))
		return handle_fail(db, -errno, "cannot look at %s-lock",
				   db->name);
	if (st.st_nlink == 0)
		return -ESTALE;
	db->lock_bytes = (uint64_t)st.st_size;
	if (is_ours && !state->is_moving)
		return 0;
	error = handle_is_current(db);
	if (error)
		return error;
	/* The file may be one that a compaction has renamed to this name, and
	 * been killed before it synced the folder. */
	error = newfile_sync_dir(db->dir_fd);
	if (error)
		return handle_fail(db, error, "cannot sync the folder");
	/* One that was killed before it renamed anything. */
	if (is_ours)
		__atomic_store_n(&state->is_moving, 0, __ATOMIC_RELAXED);
	return is_ours ? 0 : shared_rebuild(db);
}

static int time_out(struct mmapdb *db)
{
	const int32_t pid = writer_pid(db);

	if (pid > 0)
		return handle_fail(db, -ETIMEDOUT,
				   "process %d is writing, and does not end",
				   pid);
	return handle_fail(db, -ETIMEDOUT, "another process is writing");
}

int writer_enter(struct mmapdb *db, int64_t deadline)
{
	struct mmapdb fresh;
	int error;

	for (;;) {
		if (!db->readers)
			return handle_fail(db, -EACCES,
					   "cannot write to %s-lock", db->name);
		error = take_lock(db, deadline);
		if (error == -ETIMEDOUT)
			return time_out(db);
		if (error)
			return handle_fail(db, error, "cannot lock the file");
		error = writer_settle(db);
		if (!error)
			return 0;
		writer_leave(db);
		if (error != -ESTALE)
			return error;
		error = handle_open_again(db, &fresh);
		if (error)
			return handle_fail(
				db, error == -ENOENT ? -ESTALE : error,
				"%s leads to another file now", db->name);
		handle_replace(db, &fresh);
	}
}

int writer_take(struct mmapdb *db)
{
	uint64_t pages;
	struct layout_entry tip = {0};
	int error = map_extend(db, &pages);

	if (!error && db->state->is_failed)
		error = shared_look(db, &db->base);
	else if (!error)
		error = shared_tip(db, &tip);
	if (!error && !db->state->is_failed)
		db->base = tip.version;
	if (!error && pages < db->base.pages)
		error = handle_fail(db, -EBADMSG,
				    "the file is cut off: %llu of %llu pages",
				    (unsigned long long)pages,
				    (unsigned long long)db->base.pages);
	db->version = db->base;
	return error;
}
