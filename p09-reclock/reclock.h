/* reclock.h - keys and values in a file, for any number of processes at once.
 *
 * A write takes record locks (fcntl(2), POSIX; UNP2 9), of one group of sixteen
 * records; a read takes none, and sees the old value or the new one, whole. A
 * process that is killed, anywhere, leaves one of the two and no lock.
 *
 * Keys and values are any bytes: a key has at least one, and both together at
 * most what was said when the file was made. The file grows by itself.
 *
 * What survives: a write whose call has returned 0 survives kill -9 of any
 * process. It survives a power cut only if the handle has RECLOCK_SYNC; other
 * processes may have read it by then. Without that a power cut leaves some of
 * the last records damaged: they are -EBADMSG, never wrong bytes, until
 * reclock_check() puts what they were before in their place. A deleted value
 * stays readable in the file's bytes until something is written over it, or
 * reclock_compact().
 *
 * Whose locks they are. POSIX locks belong to the process, which has traps:
 *	- closing any descriptor of the file drops them all: open one handle of a
 *	  file in a process, and do not open the file otherwise;
 *	- its threads share them: none keeps out another;
 *	- a child does not inherit them.
 * With RECLOCK_OFD they are of the handle (open file description locks, Linux
 * 3.15), and the first two are no traps: each thread opens its own. In both
 * cases a handle belongs to one thread at a time, and in a forked child all
 * that has to do with locks is -ECHILD: open another handle there. (A child that
 * does not exec has a copy of the descriptor, and so keeps what a handle of
 * RECLOCK_OFD holds until it closes that, too.) Whoever does not ask
 * for locks is not kept out by them: they are advisory. On network file systems
 * mappings are not shared between machines: not there.
 *
 * The lock bytes lie far beyond the data, and need not exist:
 *	2^40         the wait-for table, for moments
 *	2^40 + 1 + i  entry i of it: held by the process that it is about
 *	2^41 + g     group g: the records in it, and all whose home it is
 * A write takes its groups, neighbours, in one call; a rebuild takes all groups
 * in one call; so writes never deadlock. Locks that a caller holds over several
 * calls can: see reclock_lock_until().
 *
 * Waiting is until a deadline (lib/tick.h): then -ETIMEDOUT, and
 * reclock_trouble() knows the pid of the holder. -EINTR: a signal
 * handler ran. TICK_NEVER waits in the kernel's queue, in the order of coming.
 *
 * Failures of all calls, besides those named there:
 *	-EBADMSG    what was asked for is damaged; reclock_trouble() says where
 *	-ESTALE     another file lies in the place of this one
 *	-EROFS      a write through a handle that is RECLOCK_READ_ONLY
 *	-ECHILD     a lock, through a handle of the parent
 *	-ENOSPC, -EFBIG, -EDQUOT, -EIO, -ENOLCK, -ENOMEM, ...: of the kernel;
 *	            after -EIO of a RECLOCK_SYNC handle the change may have been
 *	            made or not, and is not on the disk for sure
 * A file that somebody truncates while it is open is SIGBUS.
 */
#ifndef UNIXIPC_P09_RECLOCK_RECLOCK_H
#define UNIXIPC_P09_RECLOCK_RECLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct reclock; /* opaque: a file that is open */

/* ---- opening ---- */

enum {
	RECLOCK_RECORD_MIN = 16,
	RECLOCK_RECORD_MAX = 32768,
	RECLOCK_RECORD_DEFAULT = 240,
};

enum reclock_flags {
	RECLOCK_CREATE = 1, /* make the file where there is none */
	RECLOCK_READ_ONLY = 2,
	RECLOCK_SYNC = 4, /* writes are on the disk when they return */
	RECLOCK_OFD = 8,  /* locks of the handle and not of the process */
};

struct reclock_options {
	unsigned int flags;
	uint32_t record_bytes; /* of a key and its value, if the file is made
			    * now; 0: RECLOCK_RECORD_DEFAULT */
	uint32_t records;      /* how many it has room for then; 0: a few */
};

/* Open path, and follow it if it is a symbolic link; its folder is kept open,
 * for the file is replaced when it grows. A file that is made is there as a
 * whole or not at all, and of two who make it one wins. Does not wait. options
 * may be NULL. Returns 0 and *store, or -errno with *why as words, if they are
 * wanted (why is not NULL) and there are any, else NULL there: -EBADMSG
 * (it is no such file, or is damaged), -EPROTONOSUPPORT (of another version or
 * machine), -EINVAL (no regular file, or options out of range), -ENOENT,
 * -EACCES, ... */
int reclock_open(struct reclock **store, const char *path,
		 const struct reclock_options *options, const char **why);

/* Drops all that it holds; NULL does nothing. */
void reclock_close(struct reclock *store);

/* ---- records ---- */

/* The value's length; its first size bytes are copied to value. Waits only if
 * the record is changed faster than it can be copied, or is damaged. Returns
 * -ENOENT (there is none) or as above. */
ssize_t reclock_get_until(struct reclock *store, const void *key,
			  size_t key_len, void *value, size_t size,
			  int64_t deadline);

/* Return -EMSGSIZE (key and value are too long, or the key is empty); -ENOENT
 * from del: there is none; -EDEADLK and -EAGAIN, if locks are kept: see
 * reclock_lock_until(). */
int reclock_set_until(struct reclock *store, const void *key, size_t key_len,
		      const void *value, size_t value_len, int64_t deadline);
int reclock_del_until(struct reclock *store, const void *key, size_t key_len,
		      int64_t deadline);

/* Add to a number, kept as decimal text; one that is not there is 0. *sum is
 * what it has become. Returns -EINVAL (the value is no number), -ERANGE (the
 * sum does not fit 64 bits). */
int reclock_incr_until(struct reclock *store, const void *key, size_t key_len,
		       int64_t by, int64_t *sum, int64_t deadline);

/* Many changes, with a lock taken for dozens at a time. */
enum reclock_action { RECLOCK_SET, RECLOCK_DEL, RECLOCK_INCR };
struct reclock_change {
	enum reclock_action action;
	const void *key;
	size_t key_len;
	const void *value; /* of RECLOCK_SET */
	size_t value_len;
	int64_t by; /* of RECLOCK_INCR; becomes the sum */
	int error;  /* what came of this one, as of the calls above */
};

/* Changes of one key are made in the order given, others in any; each is made
 * by itself, or not. Returns 0 when all were tried, or -errno of what ended
 * it: those not tried have that as their error. */
int reclock_apply_until(struct reclock *store, struct reclock_change *changes,
			size_t n, int64_t deadline);

/* Call each() for every record, in no order, until it returns something other
 * than 0, and return that. No lock is taken: what is there all the time is
 * met once, what comes or goes meanwhile once or not. Pointers are good
 * during the call, which must not use the handle. */
int reclock_each(struct reclock *store,
		 int (*each)(void *arg, const void *key, size_t key_len,
			     const void *value, size_t value_len),
		 void *arg);

/* ---- locks over several calls ---- */

enum { RECLOCK_HOLDS_MAX = 8, RECLOCK_WAITERS_MAX = 128 };

/* Keep others from changing the record until reclock_unlock(): reads go on,
 * and changes through this handle. The lock is that of the key's group, so
 * that others wait for records beside it, too. A key may be locked again, and
 * is unlocked as often.
 *
 * A deadlock, a cycle of processes that wait for each other, is found before
 * they all sleep: the last process gets -EDEADLK, and reclock_trouble() has the
 * cycle; it should unlock what it has and begin anew. The wait-for table in the
 * file shows cycles of any size; the kernel finds those of up to 12 processes.
 * The same holds for changes that are made with locks held. Returns -EDEADLK,
 * -ENOBUFS (more than RECLOCK_HOLDS_MAX keys), -EAGAIN (RECLOCK_WAITERS_MAX
 * processes wait with locks held already). */
int reclock_lock_until(struct reclock *store, const void *key, size_t key_len,
		       int64_t deadline);

/* Returns -EPERM for a key that is not locked. */
int reclock_unlock(struct reclock *store, const void *key, size_t key_len);

/* The offset of the byte that is locked for a key, until the file is rebuilt;
 * as in /proc/locks. */
int64_t reclock_lock_byte(const struct reclock *store, const void *key,
			  size_t key_len);

/* ---- looking after it ---- */

/* Begin of a key, to tell people. */
struct reclock_label {
	uint8_t len;
	char text[21];
};

/* What the last failure was about. */
struct reclock_trouble {
	pid_t holder; /* -ETIMEDOUT: who has the lock; -1 not known, 0 nobody */
	uint32_t group, slot; /* -EBADMSG */
	/* -EDEADLK: who waits for whom, the caller first, each for the next and
	 * the last for the caller; 0 if the kernel found it. */
	unsigned int waiters;
	struct reclock_waiter {
		pid_t pid;
		struct reclock_label wants;
	} waiter[RECLOCK_WAITERS_MAX];
};
const struct reclock_trouble *reclock_trouble(const struct reclock *store);

struct reclock_stat {
	uint32_t record_bytes, groups;
	uint64_t slots, records, damaged;
	uint64_t spilled; /* records that lie outside their home group */
	uint64_t file_bytes;
};
/* Looks at every record, without a lock. */
int reclock_stat(struct reclock *store, struct reclock_stat *stat);

/* Write all to a new file with room for half as many again, and put that in the
 * place of this one; it is built in memory. All writers wait meanwhile, and go on
 * in the new file; readers do not wait. It keeps the mode, and becomes the
 * caller's unless the caller may give it away. A write that finds no room does
 * the same. A file that somebody else has given the name of ours is left alone,
 * unless that happens within the microseconds between our look and the rename.
 * Returns -EBADMSG if a record is damaged, -EEXIST if a file
 * PATH.rebuild is in the way that is not surely left over from an earlier
 * attempt. (One that was killed leaves nothing, or a whole file, which the next
 * one removes. Where the file system knows no files without a name, O_TMPFILE,
 * it may be half of one, which stays.) */
int reclock_compact_until(struct reclock *store, int64_t deadline);

/* Look at all, with all writers kept out, and call say() for each thing that is
 * wrong; with repair, put it right: a damaged record becomes what it was before
 * its last change, if that is whole, else it is freed. Returns how many things
 * were wrong, or -errno. say may be NULL. */
int reclock_check_until(struct reclock *store, bool repair,
			void (*say)(void *arg, const char *what), void *arg,
			int64_t deadline);

#ifdef __cplusplus
}
#endif

#endif
