/* log.c - writing to the log; see log.h, and replay.c for reading it.
 *
 * What a transaction does is noted as it does it: each key and value. The record
 * goes to the file under the writer's lock, by pwrite, and its version becomes
 * the tip. Then the lock is dropped, so that others can append theirs, while
 * one process takes all that there is to the disk: it writes that range over
 * itself with RWF_DSYNC, which syncs these pages of the file and none of
 * the tree's. A range that is written to twice is as good as one that is written
 * to once: so who syncs needs no lock. That there is one, and that all others
 * sleep meanwhile, only saves work; if whoever has it is stopped, they do
 * without after PASS_OVER_NS.
 *
 * That the range is what it was, whoever writes it over itself and when, is
 * because the kernel copies it while it holds the inode's lock, out of the same
 * pages: a slow one takes back nothing that others have written since. */
#include "p14-mmapdb/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "lib/park.h"
#include "lib/tick.h"
#include "p14-mmapdb/commit.h"
#include "p14-mmapdb/lock.h"
#include "p14-mmapdb/meta.h"
#include "p14-mmapdb/output.h"
#include "p14-mmapdb/shared.h"
#include "p14-mmapdb/writer.h"

#define PASS_OVER_NS (20 * TICK_MS)
#define ELSEWHERE_NS (10 * TICK_S)

enum { LOG_AT = LAYOUT_LOG * LAYOUT_PAGE };

/* ---- noting ---------------------------------------------------------------------- */

int log_room(struct mmapdb *db)
{
	if (!db->redo.bytes)
		db->redo.bytes = malloc(LAYOUT_RECORD_MAX);
	return db->redo.bytes ? 0 : handle_fail(db, -ENOMEM, "no memory");
}

int log_begin(struct mmapdb *db)
{
	db->redo.used = sizeof(struct layout_record);
	db->redo.ops = 0;
	/* Nobody will ask for it. */
	db->redo.is_over = db->flags & MMAPDB_NO_SYNC;
	return log_room(db);
}

void log_fini(struct mmapdb *db)
{
	free(db->redo.bytes);
	db->redo = (struct handle_redo){0};
}

void log_note(struct mmapdb *db, struct mmapdb_bytes key,
	      const struct mmapdb_bytes *value)
{
	struct handle_redo *redo = &db->redo;
	const struct layout_op op = {
		.value_len = value ? (uint32_t)value->len : 0,
		.key_len = (uint16_t)key.len,
		.is_del = !value,
	};
	const size_t more = sizeof(op) + op.key_len + op.value_len;
	unsigned char *at;

	/* With zeros behind it, to a multiple of 8. */
	if (redo->is_over || more + 8 > LAYOUT_RECORD_MAX - redo->used) {
		redo->is_over = true;
		return;
	}
	at = redo->bytes + redo->used;
	memcpy(at, &op, sizeof(op));
	memcpy(at + sizeof(op), key.data, key.len);
	if (op.value_len)
		memcpy(at + sizeof(op) + key.len, value->data, value->len);
	redo->used += more;
	redo->ops++;
}

/* ---- appending ------------------------------------------------------------------- */

/* Where the next record goes. */
static int find_end(struct mmapdb *db, struct layout_entry *entry)
{
	const uint64_t durable = commit_durable_txnid(db);
	struct layout_entry tip;
	int error;

	entry->behind = durable;
	entry->log_end = 0;
	entry->log_crc = db->state->durable_crc;
	if (db->base.txnid == durable)
		return 0;
	error = shared_tip(db, &tip);
	if (error)
		return error;
	if (tip.behind != durable)
		return -ENOBUFS;
	entry->log_end = tip.log_end;
	entry->log_crc = tip.log_crc;
	return 0;
}

uint32_t log_checksum(const struct layout_record *record)
{
	return crc32c((const unsigned char *)record + sizeof(record->crc),
		      record->bytes - sizeof(record->crc));
}

const char *log_fault(const struct layout_record *record, uint64_t txnid,
		      uint32_t before)
{
	if (record->txnid != txnid || record->before != before)
		return "it is another record";
	return record->crc == log_checksum(record) ? NULL
						   : "the checksum is wrong";
}

int log_append(struct mmapdb *db, struct layout_entry *entry)
{
	struct handle_redo *redo = &db->redo;
	struct layout_record record = {.txnid = entry->version.txnid};
	const size_t bytes = (redo->used + 7) / 8 * 8;
	struct layout_entry end = *entry;
	int error = redo->is_over ? -ENOBUFS : find_end(db, &end);

	if (!error && (end.log_end > LAYOUT_LOG_BYTES ||
		       bytes > LAYOUT_LOG_BYTES - end.log_end))
		error = -ENOBUFS;
	if (error)
		return error;
	memset(redo->bytes + redo->used, 0, bytes - redo->used);
	record.before = end.log_crc;
	record.durable = shared_visible_txnid(db);
	record.bytes = (uint32_t)bytes;
	record.ops = redo->ops;
	memcpy(redo->bytes, &record, sizeof(record));
	record.crc = log_checksum((const struct layout_record *)redo->bytes);
	memcpy(redo->bytes, &record, sizeof(record));
	error = output_write(db->fd, redo->bytes, bytes, LOG_AT + end.log_end);
	if (error)
		return handle_fail(db, error, "cannot write to the log");
	end.log_at = end.log_end;
	end.log_end += (uint32_t)bytes;
	end.log_crc = record.crc;
	*entry = end;
	return 0;
}

/* ---- syncing ---------------------------------------------------------------------- */

/* What is to be synced: the log from where the visible version's record ends to
 * where the tip's does. */
static int find_range(struct mmapdb *db, struct layout_entry *tip,
		      uint32_t *from)
{
	struct layout_entry shown;
	uint64_t visible;
	int error;

	do {
		visible = shared_visible_txnid(db);
		error = shared_tip(db, tip);
		if (error || tip->version.txnid <= visible)
			return error;
		error = shared_entry(db, visible, &shown);
		/* Another process publishes a later one, and its place is taken. */
	} while (error && shared_visible_txnid(db) != visible);
	*from = !error && shown.behind == tip->behind ? shown.log_end : 0;
	return 0;
}

int log_sync(struct mmapdb *db)
{
	const uint64_t visible = shared_visible_txnid(db);
	struct layout_entry tip;
	uint32_t from = 0;
	int error = find_range(db, &tip, &from);

	if (error || tip.version.txnid <= visible)
		return error;
	if (tip.behind != LAYOUT_UNLOGGED) {
		if (tip.log_end > LAYOUT_LOG_BYTES || from > tip.log_end)
			return handle_fail(db, -EBADMSG,
					   "%s-lock: it is damaged", db->name);
		error = output_sync(db->fd, db->map + LOG_AT + from,
				    tip.log_end - from, LOG_AT + from);
		if (error ||
		    __atomic_load_n(&db->state->is_failed, __ATOMIC_ACQUIRE))
			return shared_fail(db, "a sync of the log");
		meta_seal(db, tip.version.txnid);
	}
	shared_publish(db, tip.version.txnid);
	return 0;
}

/* ---- waiting ---------------------------------------------------------------------- */

/* Sleepers are told apart by their versions' low five bits. */
static int sleep_until(struct layout_state *state, uint32_t published,
		       uint64_t txnid, int64_t moment)
{
	int error;

	/* Either we are counted before somebody looks whether to wake anybody, or
	 * the kernel finds that published has moved: pairs with shared_wake(). */
	__atomic_fetch_add(&state->waiting, 1, __ATOMIC_SEQ_CST);
	error = park_word_sleep_as(&state->published, published,
				   UINT32_C(1) << txnid % 32, moment, true);
	__atomic_fetch_sub(&state->waiting, 1, __ATOMIC_RELAXED);
	return error == -ETIMEDOUT || error == -EINTR ? 0 : error;
}

/* The state was made anew, for this file or for one that a compaction has put in
 * its place: who did that has first made durable what was in the log. Wait until
 * it is done; handlers do not undo that, and so do not end this wait. */
static int wait_elsewhere(struct mmapdb *db)
{
	const int64_t deadline = tick_after(ELSEWHERE_NS);
	int error;

	do
		error = writer_enter(db, deadline);
	while (error == -EINTR);
	if (!error)
		writer_leave(db);
	return error;
}

static bool was_made_anew(struct mmapdb *db)
{
	const uint64_t met = db->met;

	return !shared_is_ours(db) || db->met != met;
}

static int sync_for_all(struct mmapdb *db, bool has_lock)
{
	const uint64_t visible = shared_visible_txnid(db);
	int error = log_sync(db);

	/* First this: one of those we wake is to have it next. */
	if (has_lock)
		lock_drop(db->lock_fd, LAYOUT_SYNC_BYTE);
	shared_wake(db, visible);
	return error;
}

int log_wait(struct mmapdb *db, uint64_t txnid)
{
	struct layout_state *state = db->state;
	int64_t pass_over = tick_after(PASS_OVER_NS);
	int error;

	for (;;) {
		const uint32_t published =
			__atomic_load_n(&state->published, __ATOMIC_ACQUIRE);
		const bool is_shown = shared_visible_txnid(db) >= txnid;
		const bool is_ours = shared_is_ours(db);
		bool is_late;

		/* Behind the others: who fails, does so before the state is made
		 * anew, and before the number can be that of another version. */
		if (__atomic_load_n(&state->failures, __ATOMIC_ACQUIRE) !=
		    db->failures)
			return shared_has_failed(db);
		if (!is_ours)
			return wait_elsewhere(db);
		if (is_shown)
			return 0;
		error = lock_try(db->lock_fd, LAYOUT_SYNC_BYTE, F_WRLCK);
		is_late = tick_is_over(pass_over);
		if (error == 0 || is_late) {
			error = sync_for_all(db, error == 0);
			pass_over = tick_after(PASS_OVER_NS);
			/* The state changed under our eyes: look again. */
			if (error == -EBADMSG && was_made_anew(db))
				error = 0;
		} else if (error == -EAGAIN) {
			error = sleep_until(state, published, txnid, pass_over);
		}
		if (error)
			return error;
	}
}
