/* layout.h - what lies in the database file, and in the lock file beside it.
 *
 *	mydata.db
 *	+--------+--------+------+----------------+------+------+-- ...
 *	| meta A | meta B | seal | log, 256 pages | page | page |     4096 bytes each
 *	+--------+--------+------+----------------+------+------+-- ...
 *	page 0      1        2      3 .. 258        259
 *
 * A meta page names a version of the tree: its root, and which pages its
 * transaction wrote, each with its checksum. Versions alternate between the
 * two. The log has what transactions have done since the newer of them, as keys
 * and values. The seal says which version is known to be durable (see commit.c).
 * All other pages are leaves, branches or overflow pages of some version, or
 * free; which ones are free is not written down here at all (see alloc.c).
 *
 *	mydata.db-lock
 *	+-------+----------+----------------------+-------------------------- ...
 *	| state | versions | 256 slots of readers | a bit for each page
 *	+-------+----------+----------------------+-------------------------- ...
 *	page 0    1          2 .. 5                 6 ..            mapped shared
 *
 * The lock file is volatile: it says for which boot and which file it was
 * written, and is made anew when that is not this one (see shared.c). It is a
 * file apart, because a page that was stored to through a mapping makes the
 * next fdatasync(2) of its file five times as slow (538 against 109 us, ext4).
 *
 * Locks (fcntl(2), OFD) lie beyond all data: in the database file on the byte
 * of the writer and on that of readers without a slot, in the lock file on a
 * byte for each slot and one for who syncs the log.
 *
 * A page of the tree: records sorted by key through slots, the bytes themselves
 * in a heap that grows down. What all keys begin with stands once, at the end.
 * A slot has the next four bytes of the key, as a number that compares as they
 * do, so that a search seldom leaves the slots.
 *
 *	+--------+-------+-------+-----+ -> free <- +------+------+--------+
 *	| header | slot0 | slot1 | ... |            | cell | cell | prefix |
 *	+--------+-------+-------+-----+            +------+------+--------+
 *
 *	key  = prefix, 4 bytes of the slot's head, the rest in the cell
 *	cell = leaf:   length of the value (2 bytes), rest of the key, value
 *	       branch: page of the child (4 bytes), rest of the key
 *
 * A long value stands in overflow pages that follow each other: a page header,
 * and then the value as one piece. The leaf has its length and first page.
 * The first key of a branch is never looked at: it counts as less than all.
 *
 * Numbers are of this machine's byte order, which is part of the magic.
 */
#ifndef UNIXIPC_P14_MMAPDB_LAYOUT_H
#define UNIXIPC_P14_MMAPDB_LAYOUT_H

#include <assert.h>
#include <stdint.h>

enum {
	LAYOUT_PAGE = 4096,
	LAYOUT_FORMAT = 2,
	LAYOUT_SEAL = 2, /* page of the seal */
	LAYOUT_LOG = 3,  /* first page of the log */
	LAYOUT_LOG_PAGES = 256,
	LAYOUT_FIRST = LAYOUT_LOG + LAYOUT_LOG_PAGES, /* page of the tree */
	LAYOUT_LISTED = 500,
	LAYOUT_LOG_BYTES = LAYOUT_LOG_PAGES * LAYOUT_PAGE,
	LAYOUT_RECORD_MAX = 64
			    << 10, /* in the log; a commit with more has none */
	LAYOUT_VERSIONS =
		64, /* that the state has, the visible one and later */
	LAYOUT_READERS = 256,
	LAYOUT_INLINE = 1280, /* key and value beyond this: overflow pages */
};

/* "mmapdb" and a number that tells the byte order. */
#define LAYOUT_MAGIC UINT64_C(0x0a00626470616d6d)
#define LAYOUT_SEAL_MAGIC UINT64_C(0x0a006c616573626d)
#define LAYOUT_LOCK_MAGIC UINT64_C(0x0a006b636f6c626d)

/* Bytes that are locked; off_t reaches to 2^63. */
#define LAYOUT_WRITER_BYTE (INT64_C(1) << 62)
#define LAYOUT_PIN_BYTE (LAYOUT_WRITER_BYTE + 1)
#define LAYOUT_READER_BYTE (LAYOUT_WRITER_BYTE + 2)
#define LAYOUT_SYNC_BYTE (LAYOUT_WRITER_BYTE - 1)

/* A reference to a page: its number, and in a branch whether the leaf it leads
 * to has overflow pages. A page that a transaction has not written yet has the
 * index of its copy in memory instead. */
#define LAYOUT_PGNO UINT32_C(0x3fffffff)
#define LAYOUT_OVERFLOW UINT32_C(0x40000000)
#define LAYOUT_DIRTY UINT32_C(0x80000000)

/* ---- the database file --------------------------------------------------------- */

struct layout_version {
	uint64_t txnid;
	uint32_t root;  /* 0: no records */
	uint32_t depth; /* levels of pages; 0: no records */
	uint64_t records;
	uint64_t logical_end;
	uint64_t pages; /* the file has at least these */
};

struct layout_listed {
	uint32_t pgno, crc;
};

struct layout_meta {
	uint64_t magic;
	uint32_t format;
	uint32_t listed; /* 0: all was durable before this page was written */
	uint8_t id[16];  /* of this database: a random number */
	uint64_t max_pages;
	struct layout_version version;
	struct layout_listed list[LAYOUT_LISTED];
	uint32_t salt; /* random, so that no two meta pages have one checksum */
	uint8_t zero[8];
	uint32_t crc; /* of all before */
};
static_assert(sizeof(struct layout_meta) == LAYOUT_PAGE, "");

struct layout_seal {
	uint64_t magic;
	uint64_t txnid;
	uint8_t id[16];
	uint32_t zero;
	uint32_t crc;
};
static_assert(sizeof(struct layout_seal) == 40, "");

/* A transaction in the log. Records follow each other from the log's first byte
 * on, the first behind the newest durable meta page. */
struct layout_record {
	uint32_t crc;    /* of all behind it */
	uint32_t before; /* crc of the record before it, or of the meta page */
	uint64_t txnid;  /* one more than that of the one before it */
	uint64_t
		durable; /* the newest version that was, when this was written */
	uint32_t
		bytes; /* with this header; a multiple of 8, with zeros behind */
	uint32_t ops;
};
static_assert(sizeof(struct layout_record) == 32, "");

/* Behind it, unaligned: this, a key, and a value. */
struct layout_op {
	uint32_t value_len;
	uint16_t key_len;
	uint16_t is_del;
};
static_assert(sizeof(struct layout_op) == 8, "");

enum layout_kind {
	LAYOUT_LEAF = 1,
	LAYOUT_BRANCH = 2,
	LAYOUT_VALUE = 3, /* overflow pages */
};

struct layout_page {
	uint32_t crc; /* of all behind it; of all pages of a long value */
	uint32_t pgno;
	uint64_t txnid; /* of the transaction that wrote it */
	uint8_t kind;
	uint8_t has_overflow; /* a leaf with a long value */
	uint16_t count;
	uint16_t prefix; /* bytes */
	uint16_t heap;   /* where it begins */
	uint16_t dead;   /* bytes in it that nobody uses */
	uint16_t zero;
	uint32_t run; /* pages of a long value; else 1 */
};
static_assert(sizeof(struct layout_page) == 32, "");

struct layout_slot {
	uint32_t head;
	uint16_t at;  /* of the cell */
	uint16_t len; /* of the key behind the prefix */
};
static_assert(sizeof(struct layout_slot) == 8, "");

/* The longest value and its header. */
#define LAYOUT_RUN_MAX ((16U << 20) / LAYOUT_PAGE + 1)

/* In a leaf, a length of value with this bit: a layout_long follows. */
#define LAYOUT_LONG 0x8000
struct layout_long {
	uint32_t len, pgno;
};

/* ---- the lock file -------------------------------------------------------------- */

struct layout_entry {
	struct layout_version version;
	uint64_t behind; /* the version that the log with its record begins
			  * behind; LAYOUT_UNLOGGED: it has none */
	uint32_t log_at, log_end; /* where the record stands in the log */
	uint32_t log_crc;         /* of the record */
	uint32_t crc;
};
static_assert(sizeof(struct layout_entry) == 64, "");
#define LAYOUT_UNLOGGED UINT64_MAX

/* Where free pages are: see alloc.c. */
struct layout_room {
	uint64_t pages;   /* of the file */
	uint64_t swept;   /* pages for which there are bits */
	uint64_t cursor;  /* below this, nothing is free */
	uint64_t written; /* below this, blocks on disk were written to */
	uint32_t zero;
	uint32_t crc;
};

struct layout_state {
	/* Written by who makes it anew, under the writer's lock. */
	uint64_t magic;
	uint32_t format;
	uint32_t zero;
	char boot[40]; /* boot_id, as the kernel prints it */
	uint8_t id[16];
	uint64_t dev;
	uint64_t owner; /* inode of the database file; 0: being made */
	uint64_t epoch; /* how often it was made */

	/* The number of the newest version that readers may see, and 16 bits
	 * that follow from it and the epoch. */
	uint64_t visible __attribute__((aligned(64)));

	/* Who waits until a version of theirs is published: see log.c. */
	uint32_t published __attribute__((aligned(64))); /* so often was one */
	uint32_t waiting;

	/* The writer's. The tip is the newest version of all, noted as the
	 * visible one is: what the next transaction begins from. */
	uint64_t tip __attribute__((aligned(64)));
	uint32_t durable_meta; /* 0: meta A */
	uint32_t durable_crc;  /* of that meta page */
	uint32_t is_failed;
	uint32_t
		failures; /* so often it was; stays when the state is made anew */
	uint32_t is_moving; /* a compaction is about to rename */
	uint64_t unsynced;  /* pages written by commits without a sync */
	struct layout_room room;

	/* Who waits to write: see writer.c. */
	uint32_t next __attribute__((aligned(64)));
	uint32_t serving;
	uint32_t turns;     /* so often the lock was dropped */
	uint32_t overdue;   /* who is served was overtaken for too long */
	int32_t writer_pid; /* for messages; in writer_ns */
	uint32_t writer_ns;
};
static_assert(sizeof(struct layout_state) <= LAYOUT_PAGE, "");

/* Of a reader; alive only while its byte is locked. */
struct layout_reader {
	uint64_t txnid; /* 0: in no transaction */
	uint64_t owner; /* inode of the database file it reads */
	uint32_t root, depth;
	int32_t pid; /* for messages; in pid_ns */
	uint32_t pid_ns;
	int64_t since;
	uint64_t spare[3];
};
static_assert(sizeof(struct layout_reader) == 64, "");

enum {
	LAYOUT_VERSIONS_AT = LAYOUT_PAGE,
	LAYOUT_READERS_AT = LAYOUT_VERSIONS_AT + LAYOUT_VERSIONS * 64,
	LAYOUT_BITS_AT = LAYOUT_READERS_AT + LAYOUT_READERS * 64,
};

#endif
