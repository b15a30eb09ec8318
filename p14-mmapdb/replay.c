/* replay.c - what is done again after a power cut.
 *
 * The records behind a durable meta page are its transactions, one after the
 * other, and each has the checksum of the one before it. So whatever lies in the
 * log from earlier, in the place of a record that never came to the disk, it is
 * none of this chain. (A meta page has a random number in it: no chain begins
 * twice in the same way, even when the same is done again.)
 *
 * The first record that is not whole ends it: the power failed before it was
 * durable. Or a disk has spoilt it, and then what follows is missing: a later
 * record, or the seal, says that it once was durable. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "p14-mmapdb/log.h"
#include "p14-mmapdb/meta.h"
#include "p14-mmapdb/write.h"

static const unsigned char *log_bytes(const struct mmapdb *db)
{
	return db->map + (size_t)LAYOUT_LOG * LAYOUT_PAGE;
}

bool log_is_new(const struct mmapdb *db)
{
	static const struct layout_record none;

	return memcmp(log_bytes(db), &none, sizeof(none)) == 0;
}

/* What may be a record, copied out of the mapping, in which others may write; or
 * NULL. */
static const struct layout_record *copy(struct mmapdb *db, size_t at)
{
	struct layout_record head;

	if (at > LAYOUT_LOG_BYTES - sizeof(head))
		return NULL;
	memcpy(&head, log_bytes(db) + at, sizeof(head));
	if (head.bytes < sizeof(head) || head.bytes > LAYOUT_RECORD_MAX ||
	    head.bytes > LAYOUT_LOG_BYTES - at || head.bytes % 8)
		return NULL;
	memcpy(db->redo.bytes, log_bytes(db) + at, head.bytes);
	memcpy(db->redo.bytes, &head, sizeof(head));
	return (const struct layout_record *)db->redo.bytes;
}

/* ---- doing it again ---------------------------------------------------------------- */

static int redo_op(struct mmapdb *db, const unsigned char **at,
		   const unsigned char *end)
{
	struct layout_op op;
	struct mmapdb_bytes key, value;

	if ((size_t)(end - *at) < sizeof(op))
		return -EBADMSG;
	memcpy(&op, *at, sizeof(op));
	*at += sizeof(op);
	key = (struct mmapdb_bytes){*at, op.key_len};
	if (op.key_len == 0 || op.key_len > MMAPDB_KEY_MAX ||
	    op.key_len > (size_t)(end - *at))
		return -EBADMSG;
	*at += op.key_len;
	value = (struct mmapdb_bytes){*at, op.value_len};
	if (op.value_len > (size_t)(end - *at))
		return -EBADMSG;
	*at += op.value_len;
	return op.is_del ? write_del(db, key) : write_put(db, key, value);
}

static int redo(struct mmapdb *db, const struct layout_record *record)
{
	const unsigned char *at = (const unsigned char *)(record + 1);
	const unsigned char *end =
		(const unsigned char *)record + record->bytes;
	int error = 0;

	for (uint32_t i = 0; !error && i < record->ops; i++)
		error = redo_op(db, &at, end);
	if (error != -ENOENT)
		return error;
	/* A key that is not there to be removed is damage, and no news of a key:
	 * see missing(). */
	db->error[0] = '\0';
	return -EBADMSG;
}

/* Some version from txnid on was durable once. */
static bool was_durable(struct mmapdb *db, size_t at, uint64_t txnid)
{
	const struct layout_record *record;
	uint64_t number;

	if (meta_sealed(db) >= txnid)
		return true;
	for (at += 8; at + sizeof(*record) <= LAYOUT_LOG_BYTES; at += 8) {
		memcpy(&number,
		       log_bytes(db) + at +
			       offsetof(struct layout_record, txnid),
		       sizeof(number));
		record = number > txnid ? copy(db, at) : NULL;
		if (record && record->txnid > txnid &&
		    record->durable >= txnid &&
		    record->crc == log_checksum(record))
			return true;
	}
	return false;
}

static int missing(struct mmapdb *db, size_t at, uint64_t txnid)
{
	/* The words are those for a meta page, if one is damaged. */
	if (!db->error[0])
		handle_fail(db, -EBADMSG,
			    "page %zu: the record of transaction %llu is "
			    "damaged",
			    LAYOUT_LOG + at / LAYOUT_PAGE,
			    (unsigned long long)txnid);
	return -EBADMSG;
}

int log_replay(struct mmapdb *db, const struct layout_meta *meta,
	       uint64_t *done)
{
	const struct layout_record *record;
	uint32_t before = meta->crc;
	size_t at = 0;
	int error = log_room(db);

	*done = 0;
	while (!error) {
		record = copy(db, at);
		if (!record || log_fault(record, db->version.txnid + 1, before))
			break;
		if (*done == 0)
			error = write_begin(db);
		if (!error)
			error = redo(db, record);
		if (error == -EBADMSG)
			return missing(db, at, db->version.txnid + 1);
		db->version.txnid++;
		before = record->crc;
		at += record->bytes;
		++*done;
	}
	if (!error && was_durable(db, at, db->version.txnid + 1))
		error = missing(db, at, db->version.txnid + 1);
	return error;
}

/* ---- looking ----------------------------------------------------------------------- */

int log_check(struct mmapdb *db, const struct layout_meta *meta, uint64_t txnid,
	      uint64_t *page)
{
	const struct layout_record *record;
	uint64_t next = meta->version.txnid;
	uint32_t before = meta->crc;
	size_t at = 0;
	int error = log_room(db);

	while (!error && next++ < txnid) {
		record = copy(db, at);
		*page = LAYOUT_LOG + at / LAYOUT_PAGE;
		if (!record || log_fault(record, next, before))
			return -EBADMSG;
		before = record->crc;
		at += record->bytes;
	}
	return error;
}
