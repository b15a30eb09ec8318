/* cache.h - what a server has, read by its neighbours without asking it.
 *
 * The server publishes keys that were written or read lately in a POSIX shared
 * memory object, /ipc.kv_server.UID.PORT; clients on the same machine map it
 * read-only. It is a cache: what is not there, or not in time, has to be asked
 * for by RPC, and every failure below means just that. Nothing read here is
 * linearizable, as others may have written meanwhile; what it is, the caller
 * says by a promise:
 *
 *	stale     {-1, 0}          what this server has
 *	bounded   {bound_ms, 0}    nothing was acknowledged anywhere, bound_ms
 *	                           and more before cache_get() returned, that is
 *	                           not in it
 *	session   {-1, revision}   the store up to this revision is in it: the
 *	                           client sees its own writes
 *
 * A named semaphore of the same name is a turnstile for readers that open the
 * cache: it is unlocked (greater than 0) while there is a whole table under the
 * name, and locked while the server makes the first one or a larger one, so
 * that a reader waits then and does not go away. Nobody passes it to read, and
 * nothing is believed because somebody passed it: a client that dies in it, or
 * plays with it, costs others the wait until their deadline, and the server
 * unlocks it again.
 *
 * The cache stops by itself: when the server is killed (it holds a write lock of
 * fcntl(2) on the object, and the kernel drops it) within CACHE_ASK_MS, when it
 * is stopped within CACHE_SILENCE_MS, and a bounded read always in time. The
 * next server on the port removes what is left over.
 *
 * What the memory holds is not believed: sizes are checked, copies bounded,
 * retries counted. Who may write it is the server's user (it is refused
 * otherwise), who could also shorten it: a reader would die by SIGBUS. Open
 * another user's only when you trust that user so far.
 *
 * Results are 0 or -errno. Functions do not wait unless they say so. Neither
 * handle may be used in a forked child, and a server must have no children that
 * inherit its descriptors without exec: the lock would outlive it.
 */
#ifndef UNIXIPC_P18_RPC_KV_CACHE_H
#define UNIXIPC_P18_RPC_KV_CACHE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	CACHE_ROOM = 1000,       /* bytes of a key and its value, the key
				  * rounded up to 8: larger ones are not here */
	CACHE_CLUSTER = 16,      /* bytes */
	CACHE_ASK_MS = 10,       /* how often a reader asks the kernel whether
				  * the server lives */
	CACHE_SILENCE_MS = 1000, /* without cache_note() nothing is served */
	CACHE_NAME_MAX = 64,
};

/* Whose cache it is. */
struct cache_identity {
	uint64_t server; /* its id */
	unsigned char cluster[CACHE_CLUSTER];
	uint64_t epoch; /* a random number: of this run of the server */
};

/* Nanoseconds of CLOCK_BOOTTIME, which does not stand still while the machine
 * sleeps: the clock of all moments here. */
int64_t cache_now(void);

/* "/ipc.kv_server.UID.PORT". */
void cache_name(char name[CACHE_NAME_MAX], uid_t owner, uint16_t port);

/* ---- the server ---- */

/* A handle belongs to the thread that applies what is committed: a value that
 * somebody else read before, and put after, would undo a write. */
struct cache;

struct cache_options {
	uint16_t port;
	uint64_t server;
	unsigned char cluster[CACHE_CLUSTER];
	size_t slots;     /* at first, 0: 1024; rounded up to a power of two */
	size_t slots_max; /* 0: 16384. A slot is 1 KiB. */
	mode_t mode;      /* 0: 0640; only 0600, 0640, 0644. The turnstile is
			   * always 0600: others come without it. */
	/* Object and turnstile are there: called by cache_create(), and by
	 * cache_note() when it has made the object anew, for who keeps a note
	 * of what was made. NULL: nobody. */
	void (*made)(void *arg);
	void *arg;
};

/* Make the object and unlock the turnstile. One that a dead server of this user
 * left there is replaced, by another inode, so that who still maps it is not
 * misled. -EBUSY: a living server has it; -EACCES: another user's or program's,
 * or not an object; -EINVAL; -ENOSPC; -ENOMEM … A server can do without a
 * cache. */
int cache_create(struct cache **cache, const struct cache_options *options);

/* Publish the value that the key has from now on, or that was just read of it
 * (of the same revision: it is only used again). To be called before the write
 * is acknowledged to anybody. What is too large is taken out like a deleted
 * key. */
void cache_put(struct cache *cache, const void *key, size_t key_len,
	       const void *value, size_t value_len, uint64_t revision);
void cache_del(struct cache *cache, const void *key, size_t key_len);

/* Forget all keys: before a snapshot replaces what was applied. */
void cache_clear(struct cache *cache);

/* What was put and deleted so far is the store up to `applied`, and holds all
 * that any server had acknowledged by known_at_ns (of cache_now(); 0: not known),
 * when a leader was last known to have no more. To be
 * called after each batch that was applied and each round of heartbeats, and at
 * least every CACHE_SILENCE_MS / 4, with or without news. Once a second it looks
 * whether the name is still ours, and makes the object anew if not; and it makes
 * a larger one when keys in use had to leave. Returns what went wrong in that,
 * to be logged: readers ask by RPC then, and it is tried again. */
int cache_note(struct cache *cache, uint64_t applied, int64_t known_at_ns);

struct cache_stat {
	size_t slots, used;
	uint64_t puts, evictions, tables; /* made so far */
};
void cache_stat(const struct cache *cache, struct cache_stat *stat);

/* Tell readers that it is over, and remove object and turnstile. NULL:
 * nothing. */
void cache_remove(struct cache *cache);

/* ---- a client ---- */

/* A handle belongs to one thread. It holds a descriptor (close-on-exec): closed
 * by others, reads fail. */
struct cache_reader;

struct cache_promise {
	int64_t bound_ms;  /* -1: any age */
	uint64_t revision; /* 0: any */
};

struct cache_value {
	unsigned char bytes[CACHE_ROOM];
	size_t len;
	uint64_t revision; /* of the key */
	uint64_t applied;  /* of the store, at least */
	int64_t age_ms;    /* since a leader was known to have no more; -1: not
			    * known */
};

/* Come to the cache of the server of that user on that port. Waits at the
 * turnstile until the deadline (lib/tick.h), and only where there is one.
 * -ENOENT: there is none; -ETIMEDOUT: no whole table in time; -EACCES: not that
 * user's, others may write it, or it is not ours to read; -EBADMSG: not what a
 * server writes; -EXDEV: of another time or network namespace, where clocks and
 * ports mean something else; -EOWNERDEAD: its server is dead; -EINTR. */
int cache_open(struct cache_reader **reader, uid_t owner, uint16_t port,
	       int64_t deadline);

void cache_identify(const struct cache_reader *reader,
		    struct cache_identity *identity);

/* 0: *value is whole, and the promise holds. Otherwise ask by RPC, and
 *
 *	-ENOENT       not here; whether there is such a key is not said
 *	-ETIMEDOUT    the promise does not hold, or the server is stopped
 *	-EAGAIN       it was being written, again and again
 *	-EINVAL       a key of no bytes
 *
 * or close the handle and open it again, as this one is of no use any more:
 *
 *	-ESTALE       the server has ended, or has made another table
 *	-EOWNERDEAD   the server is dead
 *	-EBADMSG      what is there no server writes
 */
int cache_get(struct cache_reader *reader, const void *key, size_t key_len,
	      const struct cache_promise *promise, struct cache_value *value);

/* NULL: nothing. */
void cache_close(struct cache_reader *reader);

#ifdef __cplusplus
}
#endif

#endif
