/* shared.c - how a version is published, in two steps.
 *
 * The state has the last versions in a ring. The writer fills an entry that
 * nobody is sent to, and then one store of a number makes it the tip, from which
 * the next writer starts. Once it may be seen, another number moves up to it,
 * which sends readers there. A writer that is killed before either has changed
 * nothing that anybody looks at. A reader copies the entry and looks at the
 * number again: if it has moved, the entry may have been written to, and the
 * reader starts over.
 *
 * Who moves the visible number holds no lock, and may have slept meanwhile: so
 * it only ever grows, and has a few bits of the epoch, without which somebody
 * could show a version in a state that was made for another file. */
#include "p14-mmapdb/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "lib/fdio.h"
#include "lib/park.h"
#include "p14-mmapdb/commit.h"
#include "p14-mmapdb/map.h"
#include "p14-mmapdb/meta.h"
#include "p14-mmapdb/output.h"

/* Addresses for the bits of the largest file. */
#define BITS_BYTES (((uint64_t)LAYOUT_PGNO + 1) / 8)

/* ---- the file -------------------------------------------------------------------- */

static int open_lock_file(struct mmapdb *db, bool *is_writable)
{
	char name[NAME_MAX + 8];
	const int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	struct stat st;
	mode_t mode;
	int fd;

	snprintf(name, sizeof(name), "%s-lock", db->name);
	if (fstat(db->fd, &st))
		return -errno;
	mode = st.st_mode & 0666;
	*is_writable = true;
	fd = openat(db->dir_fd, name, O_RDWR | O_CREAT | flags, mode);
	if (fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM)) {
		*is_writable = false;
		fd = openat(db->dir_fd, name, O_RDONLY | flags);
		if (fd < 0 && (errno == ENOENT || errno == EACCES))
			return -ENOENT;
	}
	return fd < 0 ? -errno : fdio_above_std(fd);
}

/* Whoever owns it can cut it off, which would kill us, and may have put it there
 * before us: so it has to be ours, root's or the database owner's, unless others
 * may write to the database, too, and could do worse. */
static bool is_trusted(const struct stat *lock, const struct stat *database)
{
	return lock->st_uid == geteuid() || lock->st_uid == 0 ||
	       lock->st_uid == database->st_uid ||
	       database->st_mode & (S_IWGRP | S_IWOTH);
}

static int check_lock_file(struct mmapdb *db, bool is_writable)
{
	struct stat st, database;
	uint64_t magic = 0;

	if (fstat(db->lock_fd, &st) || fstat(db->fd, &database))
		return -errno;
	if (!is_trusted(&st, &database))
		return -EPERM;
	if (!S_ISREG(st.st_mode) ||
	    (st.st_size > 0 &&
	     (pread(db->lock_fd, &magic, sizeof(magic), 0) != sizeof(magic) ||
	      (magic != 0 && magic != LAYOUT_LOCK_MAGIC))))
		return -EPERM;
	/* Who may use the database may use this, whatever the umask says. Where
	 * it is another's, that one has seen to it. */
	if (is_writable && (st.st_mode & 0777) != (database.st_mode & 0666))
		(void)!fchmod(db->lock_fd, database.st_mode & 0666);
	if (st.st_size >= LAYOUT_BITS_AT)
		return 0;
	/* Two that make it at once spoil nothing: what is there stays. */
	return is_writable ? output_grow(db->lock_fd, 0, LAYOUT_BITS_AT)
			   : -ENOENT;
}

/* Once for a handle: who cannot tell which boot this is must not take what others
 * use for a thing of another. */
static int read_boot(char boot[40])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t got;

	memset(boot, 0, 40);
	if (fd < 0)
		return -errno;
	got = fdio_read_full(fd, boot, 36);
	fdio_close(&fd);
	return got == 36 ? 0 : -EIO;
}

int shared_open(struct mmapdb *db)
{
	const uint64_t bytes = LAYOUT_BITS_AT + BITS_BYTES;
	bool is_writable = false;
	void *at;
	int error;

	/* Without /proc it is not known, and no state is of this boot. */
	error = read_boot(db->boot);
	if (error && error != -ENOENT)
		return error;
	db->lock_fd = open_lock_file(db, &is_writable);
	error = db->lock_fd < 0 ? db->lock_fd
				: check_lock_file(db, is_writable);
	if (error) {
		fdio_close(&db->lock_fd);
		return error == -ENOENT && !is_writable ? 0 : error;
	}
	/* The bits are only read through it, and written by pwrite. */
	at = mmap(NULL, bytes, PROT_READ, MAP_SHARED, db->lock_fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	db->state = at;
	if (!is_writable)
		return 0;
	if (mprotect(at, LAYOUT_BITS_AT, PROT_READ | PROT_WRITE))
		return -errno;
	db->readers = (void *)((unsigned char *)at + LAYOUT_READERS_AT);
	return 0;
}

void shared_close(struct mmapdb *db)
{
	if (db->state)
		munmap(db->state, LAYOUT_BITS_AT + BITS_BYTES);
	db->state = NULL;
	db->readers = NULL;
	fdio_close(&db->lock_fd);
	db->met = 0;
	db->looked.txnid = 0;
	db->reader = -1;
}

/* ---- whose it is ------------------------------------------------------------------ */

bool shared_is_ours(struct mmapdb *db)
{
	const struct layout_state *state = db->state;

	/* Acquire: the rest was written before. Pairs with the release in
	 * shared_rebuild(). */
	if (!state ||
	    __atomic_load_n(&state->owner, __ATOMIC_ACQUIRE) != db->ino)
		return false;
	if (db->met != 0 && db->met == state->epoch)
		return true;
	db->looked.txnid = 0;
	db->met = 0;
	if (state->magic == LAYOUT_LOCK_MAGIC &&
	    state->format == LAYOUT_FORMAT && state->dev == db->dev &&
	    memcmp(state->id, db->id, sizeof(db->id)) == 0 &&
	    memcmp(state->boot, db->boot, sizeof(db->boot)) == 0)
		db->met = state->epoch;
	return db->met != 0;
}

/* ---- room ------------------------------------------------------------------------- */

/* No bits are known: the first who needs a page sweeps. */
static void forget_room(uint64_t pages, struct layout_room *room)
{
	*room = (struct layout_room){pages, pages, pages, pages, 0, 0};
}

static uint32_t room_checksum(const struct layout_room *room)
{
	return crc32c(room, offsetof(struct layout_room, crc));
}

void shared_read_room(const struct mmapdb *db, uint64_t pages,
		      struct layout_room *room)
{
	*room = db->state->room;
	if (room->crc != room_checksum(room) || room->pages > pages)
		forget_room(pages, room);
	/* A lock file that was cut has lost its bits. */
	if (room->swept > shared_count_bits(db))
		room->cursor = room->pages;
}

void shared_write_room(struct mmapdb *db, struct layout_room *room)
{
	/* Who is killed in the midst of this leaves one that is forgotten. */
	room->crc = room_checksum(room);
	db->state->room = *room;
}

/* ---- making it anew ---------------------------------------------------------------- */

int shared_rebuild(struct mmapdb *db)
{
	struct layout_state *state = db->state;
	struct layout_entry entry = {.behind = LAYOUT_UNLOGGED};
	struct layout_room room;
	struct layout_meta meta;
	unsigned int page;
	uint64_t pages;
	int error;

	if (!db->boot[0])
		return -ENOENT;
	/* Readers take nothing from here until it is whole. */
	__atomic_store_n(&state->owner, 0, __ATOMIC_RELEASE);
	error = map_extend(db, &pages);
	if (!error)
		error = meta_choose(db, &meta, &page);
	if (error)
		return error;
	/* It may have been left by a process that was killed before its sync.
	 * What fails here is forgotten by the kernel, so it is noted at once. */
	state->is_failed = fdatasync(db->fd) != 0;
	db->met = ++state->epoch;
	state->magic = LAYOUT_LOCK_MAGIC;
	state->format = LAYOUT_FORMAT;
	state->dev = db->dev;
	memcpy(state->id, db->id, sizeof(state->id));
	memcpy(state->boot, db->boot, sizeof(state->boot));
	state->durable_meta = page;
	state->durable_crc = meta.crc;
	state->is_moving = 0;
	state->unsynced = 0;
	state->waiting = 0;
	forget_room(pages, &room);
	/* In a new file nothing was written to, as far as blocks go. */
	if (meta.version.txnid == 1)
		room.written = LAYOUT_FIRST;
	shared_write_room(db, &room);
	entry.version = meta.version;
	shared_push(db, &entry);
	__atomic_store_n(&state->visible, state->tip, __ATOMIC_RELEASE);
	error = commit_recover(db, &meta);
	if (error)
		return error;
	/* Release: who sees the owner sees the rest. Pairs with the acquire in
	 * shared_is_ours(). */
	__atomic_store_n(&state->owner, db->ino, __ATOMIC_RELEASE);
	return 0;
}

/* ---- versions --------------------------------------------------------------------- */

static uint32_t entry_checksum(const struct layout_entry *entry)
{
	return crc32c(entry, offsetof(struct layout_entry, crc));
}

static struct layout_entry *entry_of(const struct mmapdb *db, uint64_t txnid)
{
	return (struct layout_entry *)((unsigned char *)db->state +
				       LAYOUT_VERSIONS_AT) +
	       txnid % LAYOUT_VERSIONS;
}

uint64_t shared_word_of(const struct mmapdb *db, uint64_t txnid)
{
	const uint64_t both = txnid ^ db->met << 32;

	return txnid << 16 | both * UINT64_C(0x9e3779b97f4a7c15) >> 48;
}

uint64_t shared_visible_txnid(const struct mmapdb *db)
{
	return __atomic_load_n(&db->state->visible, __ATOMIC_ACQUIRE) >> 16;
}

uint64_t shared_tip_txnid(const struct mmapdb *db)
{
	return __atomic_load_n(&db->state->tip, __ATOMIC_ACQUIRE) >> 16;
}

int shared_entry(struct mmapdb *db, uint64_t txnid, struct layout_entry *entry)
{
	*entry = *entry_of(db, txnid);
	return entry->crc == entry_checksum(entry) &&
			       entry->version.txnid == txnid &&
			       meta_is_sound(&entry->version)
		       ? 0
		       : -ESTALE;
}

/* That of one of the two numbers, which may move meanwhile. */
static int copy_entry(struct mmapdb *db, const uint64_t *number,
		      struct layout_entry *entry)
{
	uint64_t word, again;
	int error;

	do {
		word = __atomic_load_n(number, __ATOMIC_ACQUIRE);
		error = shared_entry(db, word >> 16, entry);
		/* The copy is done before we look again. */
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		again = __atomic_load_n(number, __ATOMIC_RELAXED);
	} while (again != word);
	if (error || word != shared_word_of(db, word >> 16))
		return handle_fail(db, -EBADMSG,
				   "%s-lock: the checksum is wrong; remove it "
				   "when nobody has the database open",
				   db->name);
	return 0;
}

int shared_tip(struct mmapdb *db, struct layout_entry *tip)
{
	return copy_entry(db, &db->state->tip, tip);
}

int shared_look(struct mmapdb *db, struct layout_version *version)
{
	struct layout_entry entry;
	int error = 0;

	if (shared_visible_txnid(db) != db->looked.txnid) {
		error = copy_entry(db, &db->state->visible, &entry);
		if (!error)
			db->looked = entry.version;
	}
	*version = db->looked;
	return error;
}

void shared_push(struct mmapdb *db, struct layout_entry *entry)
{
	const uint64_t txnid = entry->version.txnid;

	entry->crc = entry_checksum(entry);
	*entry_of(db, txnid) = *entry;
	/* Release: the entry is whole before anybody is sent to it. Pairs with
	 * the acquire in copy_entry(). */
	__atomic_store_n(&db->state->tip, shared_word_of(db, txnid),
			 __ATOMIC_RELEASE);
}

void shared_publish(struct mmapdb *db, uint64_t txnid)
{
	uint64_t *visible = &db->state->visible;
	uint64_t word = __atomic_load_n(visible, __ATOMIC_ACQUIRE);

	while (word >> 16 < txnid && word == shared_word_of(db, word >> 16) &&
	       !__atomic_compare_exchange_n(visible, &word,
					    shared_word_of(db, txnid), false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
}

static void wake(struct mmapdb *db, uint32_t bits)
{
	struct layout_state *state = db->state;

	/* Pairs with sleep_until() in log.c. */
	__atomic_fetch_add(&state->published, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&state->waiting, __ATOMIC_SEQ_CST))
		park_word_wake_those(&state->published, bits, true);
}

void shared_wake(struct mmapdb *db, uint64_t behind)
{
	const uint64_t last = shared_visible_txnid(db) + 1;
	uint32_t bits = 0;

	if (last - behind >= 32)
		bits = UINT32_MAX;
	for (uint64_t txnid = last; txnid > behind && bits != UINT32_MAX;
	     txnid--)
		bits |= UINT32_C(1) << txnid % 32;
	wake(db, bits);
}

void shared_wake_all(struct mmapdb *db)
{
	wake(db, UINT32_MAX);
}

int shared_has_failed(struct mmapdb *db)
{
	return handle_fail(db, -EIO,
			   "a sync failed; the database is read-only until it "
			   "is compacted into a new file");
}

int shared_fail(struct mmapdb *db, const char *what)
{
	struct layout_state *state = db->state;

	__atomic_store_n(&state->is_failed, 1, __ATOMIC_RELEASE);
	/* Release: before the state is made anew. See log_wait(). */
	__atomic_fetch_add(&state->failures, 1, __ATOMIC_RELEASE);
	shared_wake_all(db);
	return handle_fail(db, -EIO,
			   "%s failed; the database is read-only until it is "
			   "compacted into a new file",
			   what);
}

/* ---- bits ------------------------------------------------------------------------- */

const uint64_t *shared_bits(const struct mmapdb *db)
{
	return (const uint64_t *)((const unsigned char *)db->state +
				  LAYOUT_BITS_AT);
}

uint64_t shared_count_bits(const struct mmapdb *db)
{
	if (db->lock_bytes < LAYOUT_BITS_AT)
		return 0;
	return (db->lock_bytes - LAYOUT_BITS_AT) / 8 * 64;
}

int shared_write_bits(struct mmapdb *db, const uint64_t *bits, uint64_t pages)
{
	int error = output_write(db->lock_fd, bits, (pages + 63) / 64 * 8,
				 LAYOUT_BITS_AT);

	return error ? handle_fail(db, error, "cannot write %s-lock", db->name)
		     : 0;
}
