/* mmapdb.h - an ordered key-value database in one file, read through mmap(2).
 *
 * A copy-on-write B+tree of checksummed pages. Readers look at the file through
 * a read-only MAP_SHARED mapping, each at a snapshot that no writer changes,
 * and without locks. Of writers there is one at a time, by a record lock
 * (fcntl(2), F_OFD_SETLK), which the kernel drops when its holder dies. What is
 * written goes through pwrite(2), so that a full disk is an error and not a
 * SIGBUS.
 *
 * A transaction is all or nothing: for who reads meanwhile, after kill -9 at
 * any moment, and after a power cut. mmapdb_commit() returns when the
 * transaction survives a power cut, and only then is it seen by others; with
 * MMAPDB_NO_SYNC it survives kill -9, and a power cut takes back the last of
 * such transactions, in whole ones. Those who commit at the same time wait for
 * one sync together.
 *
 * Beside the database NAME there is a file NAME-lock: what the processes of
 * this boot share, and their locks. It is made by the first that opens the
 * database, has nothing in it that is worth keeping, and must not be removed
 * while anybody has the database open. A database has one name (no hard links),
 * on a local file system with O_TMPFILE (ext4, XFS, Btrfs, tmpfs); who renames
 * it renames both, while nobody has it open.
 *
 * A handle belongs to one thread at a time and has at most one transaction at a
 * time. The same file may be open any number of times, in any number of
 * processes. A handle does not survive fork(2): in the child each call but
 * mmapdb_close() is -ECHILD, and a child that keeps it keeps the parent's
 * locks, should the parent die first. Descriptors are close-on-exec; a program
 * that closes all its descriptors must close its handles first.
 *
 * Keys are 1 to MMAPDB_KEY_MAX bytes, any bytes, in the order of memcmp(3), a
 * shorter one before a longer one that begins with it. Values are 0 to
 * MMAPDB_VALUE_MAX bytes.
 *
 * Whatever lies in the file is checked before it is used: a page by its CRC-32C
 * and its structure when a handle meets this version of it for the first time.
 * So a handle never returns bytes that a disk has changed, but one that has
 * read a page trusts it until it is written anew: who may write to the file is
 * trusted not to change pages behind the database's back. The size is looked
 * at when a transaction begins: a file that somebody cuts while a transaction
 * reads it is SIGBUS.
 *
 * All functions that return int return 0 or -errno:
 *
 *	-EBADMSG	 the file is damaged; mmapdb_error() names the page
 *	-EIO		 a sync has failed, now or before: nothing is written any
 *			 more, reads go on; mmapdb_compact() is the way back
 *	-ECHILD		 the handle was inherited through fork
 *	-EINVAL		 no transaction is open, or one is that does not allow
 *			 the call, or a key or value of a length that none has
 *	-ESTALE		 the file was compacted, and its name does not lead to
 *			 the new one
 *
 * and what the system calls below them say. After each failure but that of
 * opening, mmapdb_error() has it in words. A write beyond RLIMIT_FSIZE raises
 * SIGXFSZ, which kills a process that does not ignore it.
 */
#ifndef UNIXIPC_P14_MMAPDB_MMAPDB_H
#define UNIXIPC_P14_MMAPDB_MMAPDB_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	MMAPDB_KEY_MAX = 1024,
	MMAPDB_VALUE_MAX = 16 << 20,
	MMAPDB_RECORD_UNIT = 256,  /* logical offsets are multiples of this */
	MMAPDB_LEAST = 1088 << 10, /* bytes of an empty database */
	MMAPDB_DEPTH_MAX = 24,
};

enum mmapdb_flags {
	MMAPDB_RDONLY = 1,  /* no write transactions; a file that we may not
			     * write to can be read */
	MMAPDB_NO_SYNC = 2, /* commits survive kill -9, not a power cut */
};

struct mmapdb; /* a handle */

struct mmapdb_bytes {
	const void *data;
	size_t len;
};

/* ---- life ------------------------------------------------------------------ */

/* Make an empty database with room for size_bytes (MMAPDB_LEAST at least) that
 * never becomes larger than max_bytes (0: no limit); both are rounded up to
 * whole pages. It appears under its name when it is whole and durable; when
 * this returns, its name is durable, too. -EEXIST, -EINVAL (size, or the
 * least of it, beyond the limit, or either beyond 4 TB), -ENOSPC ... */
int mmapdb_create(const char *path, uint64_t size_bytes, uint64_t max_bytes,
		  mode_t mode);

/* Open it; never waits. The folder is remembered, for mmapdb_compact(). -ENOENT,
 * -EACCES ..., -EMEDIUMTYPE (not such a database), -EPERM (NAME-lock is not one's,
 * or of somebody whom the database is not open to), -EPROTONOSUPPORT (another version's), -EBADMSG (neither meta page is whole),
 * -EMLINK (it has several names). Damage that is found later is told by the
 * transaction that meets it. */
int mmapdb_open(const char *path, unsigned int flags, struct mmapdb **opened);

/* Abort what is open, and free the handle; NULL is allowed. */
void mmapdb_close(struct mmapdb *db);

/* The last failure of this handle in words, "page 17: the checksum is wrong";
 * good until the next call with it. */
const char *mmapdb_error(const struct mmapdb *db);

/* ---- transactions ------------------------------------------------------------ */

/* Look at the newest version that is durable, or was committed without a sync.
 * Never waits for writers, nor
 * they for readers: a snapshot that is looked at for long keeps its pages from
 * being used again, so that the file may grow by what is written meanwhile. */
int mmapdb_begin_read(struct mmapdb *db);

/* Become the writer, in the order of asking; a newcomer overtakes those who sleep
 * for a millisecond at most. -ETIMEDOUT (mmapdb_writer() says who is), -EINTR (a
 * signal handler ran while we waited), -EROFS (the handle is MMAPDB_RDONLY),
 * -EIO. */
int mmapdb_begin_write(struct mmapdb *db, int64_t deadline);

/* End the transaction; in one that writes, make it so. On failure it is
 * aborted: -ENOSPC, -EDQUOT (max_bytes), -EFBIG ... leave the database as it
 * was. After -EIO the transaction is not seen, but may be there after the next
 * boot. Others can write while this waits for the disk, and begin from it; if its
 * sync fails, so do theirs. Signal handlers do not end the wait. */
int mmapdb_commit(struct mmapdb *db);

/* End the transaction, and undo it if it writes. */
void mmapdb_abort(struct mmapdb *db);

/* The process that writes now, as it calls itself, for messages; 0 when nobody
 * does. */
pid_t mmapdb_writer(struct mmapdb *db);

/* ---- records ----------------------------------------------------------------- */

/* The value of a key, in either kind of transaction: -ENOENT, -EBADMSG. It lies
 * in the mapping, not aligned, and is good until the transaction ends or, in
 * one that writes, until the next put or del. */
int mmapdb_get(struct mmapdb *db, struct mmapdb_bytes key,
	       struct mmapdb_bytes *value);

/* Set it. *offset (NULL is allowed) becomes the logical offset of this record
 * in the order of insertion: the first is 0, and each takes the bytes of its key
 * and its value, rounded up to whole MMAPDB_RECORD_UNITs. A failure but -EINVAL
 * means that the transaction can only be aborted. -ENOMEM: what a transaction
 * writes is kept in memory until its commit. */
int mmapdb_put(struct mmapdb *db, struct mmapdb_bytes key,
	       struct mmapdb_bytes value, uint64_t *offset);

/* Remove it; -ENOENT. */
int mmapdb_del(struct mmapdb *db, struct mmapdb_bytes key);

/* ---- cursors ----------------------------------------------------------------- */

/* Which keys: those that begin with prefix, and are not below from, and below
 * to. An empty one (len 0) is no condition. The caller keeps the bytes as long
 * as the cursor. */
struct mmapdb_range {
	struct mmapdb_bytes from, to, prefix;
};

/* In the caller's storage; good until the transaction ends or changes anything
 * (-ESTALE then). After a success key and value are the record's: the key is
 * in the cursor, the value as mmapdb_get() gives it. */
struct mmapdb_cursor {
	struct mmapdb_bytes key, value;
	/* ours */
	struct mmapdb *db;
	struct mmapdb_range range;
	uint64_t changes;
	uint32_t depth; /* 0: stands nowhere */
	uint32_t page[MMAPDB_DEPTH_MAX];
	uint16_t slot[MMAPDB_DEPTH_MAX];
	unsigned char bytes[MMAPDB_KEY_MAX];
};

/* A cursor that stands nowhere yet; range NULL: all keys. */
int mmapdb_cursor_open(struct mmapdb_cursor *cursor, struct mmapdb *db,
		       const struct mmapdb_range *range);

/* Go to the first or last record of the range, the first that is not below key,
 * the next, the one before. From nowhere, next is the first and prev the last.
 * -ENOENT: there is none; the cursor then stands nowhere. */
int mmapdb_cursor_first(struct mmapdb_cursor *cursor);
int mmapdb_cursor_last(struct mmapdb_cursor *cursor);
int mmapdb_cursor_seek(struct mmapdb_cursor *cursor, struct mmapdb_bytes key);
int mmapdb_cursor_next(struct mmapdb_cursor *cursor);
int mmapdb_cursor_prev(struct mmapdb_cursor *cursor);

/* ---- looking at the database --------------------------------------------------- */

struct mmapdb_stat {
	uint64_t file_bytes, max_bytes; /* max 0: no limit */
	uint64_t pages;                 /* of the file, MMAPDB_STAT_PAGE each */
	uint64_t leaf_pages, branch_pages, overflow_pages; /* of the snapshot */
	uint64_t fixed_pages; /* metas, seal and log; all else is free */
	uint64_t records, depth;
	uint64_t txnid;         /* of the snapshot */
	uint64_t durable_txnid; /* the newest that survives a power cut */
	uint64_t logical_end;   /* the offset of the next record */
	uint32_t readers;   /* with a slot: those that mmapdb_readers() has */
	uint32_t is_pinned; /* somebody reads without a slot */
	uint32_t is_failed; /* a sync has failed: see -EIO */
	int32_t writer;     /* mmapdb_writer() */
};
enum { MMAPDB_STAT_PAGE = 4096 };

/* In a transaction; one that writes shows the version it started from. Reads
 * all branch pages. */
int mmapdb_stat(struct mmapdb *db, struct mmapdb_stat *stat);

struct mmapdb_reader {
	int64_t pid;    /* as it calls itself: for messages only; 0: it is of
			 * another pid namespace */
	uint64_t txnid; /* the snapshot that it looks at */
	int64_t age_ns; /* since its transaction began */
};

/* Call each(reader, arg) for everybody in a read transaction, until it returns
 * something else than 0, which is then returned. Needs no transaction. */
int mmapdb_readers(struct mmapdb *db,
		   int (*each)(const struct mmapdb_reader *reader, void *arg),
		   void *arg);

struct mmapdb_fault {
	uint64_t page;
	char what[120];
};

/* Read the whole snapshot of the open transaction: checksums, structure, the
 * order of all keys, that no page is used twice, and the newest meta page. 0,
 * or -EBADMSG and the first fault. */
int mmapdb_check(struct mmapdb *db, struct mmapdb_fault *first);

/* ---- copies --------------------------------------------------------------------- */

/* Write the newest version (or the snapshot of an open read transaction) to a
 * new file, dense, durable, there as a whole or not at all; others write on
 * meanwhile. -EEXIST. */
int mmapdb_backup(struct mmapdb *db, const char *path);

/* Write the newest version to a new file, and give that the name of the old
 * one: other handles move over when they next begin a transaction. No
 * transaction may be open. Writers wait meanwhile, readers do not. The new file
 * has the old one's mode, limit and, if we may, owner. A file that somebody else
 * has given the old one's name is left alone (-ESTALE), unless that happens within
 * the microseconds between our look and the rename. -ETIMEDOUT, -EINTR, -EROFS,
 * -EMLINK (it has several names), -ELOOP (the name is a symbolic link), -EEXIST
 * (NAME.compact is there, and is not what a killed compaction left). */
int mmapdb_compact(struct mmapdb *db, int64_t deadline);

#ifdef __cplusplus
}
#endif

#endif
