/* gate.h - the semaphore set that stands beside the queue, under its key: a
 * server-alive semaphore, credit-based flow control, and a label. The three are
 * one set, so they have one name: whoever comes to the queue passes this gate.
 *
 * A message queue cannot say who serves it, how much of it is spoken for, or
 * which file its key was made from. Semaphores can, and the kernel undoes
 * what a process did to them when it ends, however it ends (SEM_UNDO):
 *
 *	ALIVE	1 while a server serves; 0 the moment it is gone
 *	CREDITS	flow control: free units (LETTER_UNIT) of the queue. A client
 *		takes what its request or its reply needs, whichever is
 *		larger, before it sends, and gives it back when it has its
 *		reply. So requests never fill the queue so far that a reply
 *		has no room.
 *	label	a magic number, 60 bits of identity, which file the key was
 *		made from, and 32 bits of the server's PID namespace
 *		(letter_type()). Written once, never changed.
 *
 * Functions return -errno; any process may call them at any time. Where they
 * act on a set that is gone they return -EIDRM.
 */
#ifndef UNIXIPC_P05_SYSV_MQ_GATE_H
#define UNIXIPC_P05_SYSV_MQ_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of a key that a user chose as a number. */
#define GATE_NO_FILE UINT64_C(0)

/* The key for a path, as ftok(3) makes it, and which file it was: unlike the
 * key, the identity has more than 24 bits of device and inode number. */
int gate_key(const char *path, key_t *key, uint64_t *identity);

/* Who may have made what one talks to, or takes over: the caller's user, root, or
 * this one. GATE_NO_OTHER: (uid_t)-1 is no user, chown(2). */
#define GATE_NO_OTHER ((uid_t)-1)
bool gate_trusts(const struct ipc_perm *perm, uid_t other);

/* Become the server of this key. Returns the set with ALIVE taken, and *is_new
 * tells whether we made it. If not, a dead server did: its queue is there too.
 *	-EADDRINUSE	a server lives
 *	-EPERM		a dead server's of another user, who may remove it; the
 *			caller is not root
 *	-EXDEV		the set was made for another file (ftok collision)
 *	-ENOTUNIQ	the set is another program's
 *	-EACCES, -ENOSPC, -ETIMEDOUT, ... */
int gate_take(key_t key, uint64_t identity, int mode, int64_t deadline,
	      bool *is_new);

/* Let clients in: that many units are free. */
int gate_open(int set, uint32_t units);

/* Remove the set; all who use it get -EIDRM. */
int gate_remove(int set);

/* For the server: whether the set is there, by its key too, which only its
 * removal takes from it, and ALIVE in it as this process has taken it. Anybody
 * who may write to a set can undo that, and its owner can remove it (ipcrm,
 * RemoveIPC of logind). */
bool gate_is_ours(int set);

struct gate_server {
	pid_t pid;              /* 0: it has none in our PID namespace */
	uint32_t pid_namespace; /* its PID namespace, as letter_place has it */
};

/* For clients: the set of this key, and its server. identity GATE_NO_FILE
 * accepts any. -ENOENT when no server lives, -EPERM when the set was made by a
 * user whom gate_trusts() does not, otherwise as gate_take(). */
int gate_find(key_t key, uint64_t identity, uid_t other,
	      struct gate_server *server);

/* Whether a server serves, now. */
bool gate_is_served(int set);

/* Take room, waiting until the deadline. It comes back when this process
 * ends, if it has not been given back before. -ETIMEDOUT, -EINTR, -EIDRM. */
int gate_reserve(int set, uint32_t units, int64_t deadline);
int gate_release(int set, uint32_t units);

#ifdef __cplusplus
}
#endif

#endif
