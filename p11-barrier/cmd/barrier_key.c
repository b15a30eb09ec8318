#include "p11-barrier/cmd/barrier_key.h"

#include <errno.h>
#include <sys/sem.h>
#include <unistd.h>

#include "lib/cmd/die.h"
#include "lib/objname.h"
#include "p11-barrier/sysv_barrier.h"

/* The lower half is the user. */
enum { KEY_BASE = 0x11000000, KEYS = 16 };

static int reap(key_t key)
{
	int id = semget(key, 0, 0), rc = sysv_barrier_reap(key);

	if (rc == 0 && id >= 0)
		objname_release_id(OBJNAME_SYSV_SEM, id);
	return rc;
}

static int make_at(key_t key, unsigned int participants)
{
	int rc = reap(key);

	if (rc && rc != -ENOENT)
		return rc;
	return sysv_barrier_create(key, participants, 0600);
}

static int make_at_any(unsigned int participants)
{
	key_t key = (key_t)(KEY_BASE + (geteuid() & 0xffff) * KEYS);
	int id = -EBUSY;

	for (int i = 0; i < KEYS; i++) {
		if (id >= 0) {
			reap(key + i);
			continue;
		}
		id = make_at(key + i, participants);
		/* Only these say that another key may do better. */
		if (id < 0 && id != -EBUSY && id != -EEXIST && id != -EACCES &&
		    id != -ETIMEDOUT)
			return id;
	}
	return id;
}

static _Noreturn void refuse_key(unsigned int key, int error)
{
	switch (error) {
	case -EBUSY:
		die("key 0x%x: a barrier that is in use", key);
	case -EEXIST:
		die("key 0x%x: a semaphore set of something else, or a barrier "
		    "of another version",
		    key);
	case -ETIMEDOUT:
		die("key 0x%x: a semaphore set that nobody has filled, of "
		    "something else or of a run that was killed as it made it "
		    "(ipcrm -S 0x%x)",
		    key, key);
	default:
		die("key 0x%x: a semaphore set of another user", key);
	}
}

static _Noreturn void fail(key_t key, int error)
{
	switch (error) {
	case -EBUSY:
	case -EEXIST:
	case -EACCES:
	case -ETIMEDOUT:
		if (key)
			refuse_key((unsigned int)key, error);
		die("cannot make a barrier: all %d keys are in use (--key)",
		    KEYS);
	case -EINVAL:
		die("cannot make a barrier: the limit of semaphores a set, "
		    "first in /proc/sys/kernel/sem, is below what it needs");
	case -E2BIG:
		die("cannot make a barrier: the limit of operations a semop, "
		    "third in /proc/sys/kernel/sem, is below what it needs");
	case -ENOSPC:
		die("cannot make a barrier: the limit of semaphores or of "
		    "their sets, second and fourth in /proc/sys/kernel/sem, is "
		    "reached (ipcs -s)");
	default:
		die_errno(error, "cannot make a barrier");
	}
}

struct barrier_key barrier_key_create(key_t key, unsigned int participants)
{
	struct barrier_key made = {.id = key ? make_at(key, participants)
					     : make_at_any(participants)};

	if (made.id < 0)
		fail(key, made.id);
	identity_of_sysv(IDENTITY_SYSV_SEM, made.id, &made.set);
	objname_claim_id(OBJNAME_SYSV_SEM, made.id);
	return made;
}

/* 0 also when it is gone, be it that another has its id. */
static int remove_ours(const struct barrier_key *key)
{
	struct identity_object now;
	int error = identity_of_sysv(IDENTITY_SYSV_SEM, key->id, &now);

	switch (identity_compare(&key->set, error, &now)) {
	case IDENTITY_SAME:
		error = sysv_barrier_destroy(key->id);
		return error == -EIDRM ? 0 : error;
	case IDENTITY_ANOTHER:
	case IDENTITY_GONE:
		return 0;
	case IDENTITY_CANNOT_TELL:
		break;
	}
	return error ? error : -EXDEV;
}

bool barrier_key_remove(const struct barrier_key *key)
{
	int error = remove_ours(key);

	if (error) {
		die_warn_errno(error, "cannot remove semaphore set %d",
			       key->id);
		return false;
	}
	objname_release_id(OBJNAME_SYSV_SEM, key->id);
	return true;
}
