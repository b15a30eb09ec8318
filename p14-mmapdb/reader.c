/* reader.c - why no page is used again while somebody looks at it.
 *
 * A reader notes in its slot which version it is going to read, and then looks
 * whether that is still the visible one. The sweep (alloc.c) runs under the
 * writer's lock, so that the visible version stands still; it keeps the pages of
 * that, and of all versions that it finds in slots. Between the reader's store
 * and its second look, and between the writer's publishing of a later version
 * and its look at the slots, there is a full fence each. So one of the two
 * sees the other: the reader a later version, and starts over; or the sweep the
 * slot. (Hazard pointers: Michael, 2004.)
 *
 * A slot counts only while its owner holds the lock of its byte, which the
 * kernel drops with the process. So a reader that is killed costs nothing, and
 * nobody has to find out whether a pid still lives. Where no slot is free, or we
 * may not write to the lock file, a shared lock on one byte says that somebody
 * reads: while it is held, a sweep frees nothing at all. */
#include "p14-mmapdb/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/tick.h"
#include "p14-mmapdb/lock.h"
#include "p14-mmapdb/map.h"
#include "p14-mmapdb/log.h"
#include "p14-mmapdb/meta.h"
#include "p14-mmapdb/shared.h"
#include "p14-mmapdb/write.h"
#include "p14-mmapdb/writer.h"

/* ---- slots ------------------------------------------------------------------------ */

static bool claim(struct mmapdb *db, unsigned int i)
{
	struct layout_reader *slot = &db->readers[i];

	if (lock_try(db->lock_fd, LAYOUT_READER_BYTE + i, F_WRLCK))
		return false;
	__atomic_store_n(&slot->txnid, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&slot->pid_ns, db->pid_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->pid, db->pid, __ATOMIC_RELAXED);
	db->reader = (int)i;
	return true;
}

/* First those that look free, then those that may be: each costs a call. */
static void claim_any(struct mmapdb *db)
{
	for (unsigned int i = 0; i < LAYOUT_READERS; i++)
		if (!__atomic_load_n(&db->readers[i].pid, __ATOMIC_RELAXED) &&
		    claim(db, i))
			return;
	for (unsigned int i = 0; i < LAYOUT_READERS; i++)
		if (claim(db, i))
			return;
}

static void note(struct mmapdb *db, const struct layout_version *version)
{
	struct layout_reader *slot = &db->readers[db->reader];
	struct timespec now;

	/* For people; that of tick_now() costs five times as much. */
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	/* 0 is out before anything else changes, and all is there before the
	 * number is: as reader_each() reads it. */
	__atomic_store_n(&slot->txnid, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&slot->owner, db->ino, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->root, version->root, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->depth, version->depth, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->since, tick_from_timespec(now),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&slot->txnid, version->txnid, __ATOMIC_RELEASE);
}

void reader_leave(struct mmapdb *db)
{
	if (db->reader < 0)
		return;
	__atomic_store_n(&db->readers[db->reader].txnid, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&db->readers[db->reader].pid, 0, __ATOMIC_RELAXED);
	lock_drop(db->lock_fd, LAYOUT_READER_BYTE + db->reader);
	db->reader = -1;
}

/* ---- beginning -------------------------------------------------------------------- */

/* Without a slot. */
static int pin(struct mmapdb *db)
{
	int error = 0;

	if (!db->is_pinned)
		error = lock_try(db->fd, LAYOUT_PIN_BYTE, F_RDLCK);
	if (error)
		return handle_fail(db, error, "cannot lock the file");
	db->is_pinned = true;
	return 0;
}

/* Take the visible version, so that no sweep can miss it. */
static int take(struct mmapdb *db)
{
	const struct layout_state *state = db->state;
	int error = 0;

	if (db->readers && db->reader < 0)
		claim_any(db);
	if (db->reader < 0)
		error = pin(db);
	do {
		if (!error)
			error = shared_look(db, &db->version);
		if (error)
			return shared_is_ours(db) ? error : -EAGAIN;
		if (db->reader >= 0)
			note(db, &db->version);
		/* Pairs with the fence in reader_each(). */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	} while (__atomic_load_n(&state->visible, __ATOMIC_RELAXED) !=
		 shared_word_of(db, db->version.txnid));
	return shared_is_ours(db) ? 0 : -EAGAIN;
}

/* The state is not this file's: make it so, if nobody else is about to. Where
 * that cannot be, the meta pages have to do: -EALREADY. */
static int take_without_state(struct mmapdb *db)
{
	struct layout_meta meta = {0};
	unsigned int page;
	uint64_t done;
	int error;

	if (db->readers && lock_try(db->fd, LAYOUT_WRITER_BYTE, F_WRLCK) == 0) {
		error = writer_settle(db);
		lock_drop(db->fd, LAYOUT_WRITER_BYTE);
		if (!error || error == -ESTALE)
			return -EAGAIN;
		/* A full disk, for one, keeps nobody from reading. */
	}
	error = pin(db);
	if (!error)
		error = meta_choose(db, &meta, &page);
	if (!error) {
		db->base = db->version = meta.version;
		error = log_replay(db, &meta, &done);
	}
	if (error)
		return shared_is_ours(db) ? -EAGAIN : error;
	/* A writer makes the state before it writes anything: if there is none
	 * even now, we have not read what is not durable yet. And before it is
	 * made for another file, the name leads to that. */
	return shared_is_ours(db) || handle_is_current(db) ? -EAGAIN : 0;
}

int reader_begin(struct mmapdb *db)
{
	uint64_t pages;
	int error;

	do {
		const struct layout_state *state = db->state;
		bool is_ours = shared_is_ours(db);

		/* Relaxed: a reader that moves over a moment later has read what
		 * was right when it began. */
		if (!is_ours ||
		    __atomic_load_n(&state->is_moving, __ATOMIC_RELAXED)) {
			error = handle_follow(db);
			if (error && error != -EALREADY)
				return error;
			is_ours = shared_is_ours(db);
		}
		error = is_ours ? take(db) : map_extend(db, &pages);
		if (!error && !is_ours)
			error = take_without_state(db);
		if (error)
			reader_end(db);
	} while (error == -EAGAIN);
	if (!error)
		error = map_extend(db, &pages);
	if (!error && db->version.pages > pages)
		error = handle_fail(db, -EBADMSG,
				    "the file is cut off: %llu of %llu pages",
				    (unsigned long long)pages,
				    (unsigned long long)db->version.pages);
	if (error)
		reader_end(db);
	return error;
}

void reader_end(struct mmapdb *db)
{
	/* Release: we have read all before a sweep may free it. Pairs with the
	 * acquire in reader_each(). */
	if (db->reader >= 0)
		__atomic_store_n(&db->readers[db->reader].txnid, 0,
				 __ATOMIC_RELEASE);
	if (db->is_pinned)
		lock_drop(db->fd, LAYOUT_PIN_BYTE);
	db->is_pinned = false;
	write_end(db); /* what we have replayed for ourselves */
}

/* ---- for others --------------------------------------------------------------------- */

/* A copy of a slot that nobody changed meanwhile. One that changes is about to
 * look at the visible version again, which is kept. */
static bool copy_reader(const struct layout_reader *slot,
			struct layout_reader *reader)
{
	reader->txnid = __atomic_load_n(&slot->txnid, __ATOMIC_ACQUIRE);
	reader->owner = __atomic_load_n(&slot->owner, __ATOMIC_RELAXED);
	reader->root = __atomic_load_n(&slot->root, __ATOMIC_RELAXED);
	reader->depth = __atomic_load_n(&slot->depth, __ATOMIC_RELAXED);
	reader->pid = __atomic_load_n(&slot->pid, __ATOMIC_RELAXED);
	reader->pid_ns = __atomic_load_n(&slot->pid_ns, __ATOMIC_RELAXED);
	reader->since = __atomic_load_n(&slot->since, __ATOMIC_RELAXED);
	/* Pairs with the release in note(). */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return reader->txnid != 0 &&
	       __atomic_load_n(&slot->txnid, __ATOMIC_RELAXED) == reader->txnid;
}

bool reader_each(struct mmapdb *db, unsigned int *next,
		 struct layout_reader *reader)
{
	/* Pairs with the fence in take(). */
	if (*next == 0)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	while (*next < LAYOUT_READERS) {
		const unsigned int i = (*next)++;
		struct layout_reader *slot = &db->readers[i];

		if ((int)i == db->reader || !copy_reader(slot, reader))
			continue;
		if (lock_is_held(db->lock_fd, LAYOUT_READER_BYTE + i,
				 F_WRLCK) &&
		    reader->owner == db->ino)
			return true;
	}
	return false;
}

bool reader_is_pinned(const struct mmapdb *db)
{
	return lock_is_held(db->fd, LAYOUT_PIN_BYTE, F_WRLCK);
}
