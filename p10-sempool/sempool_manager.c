/* sempool_manager.c - how a pool comes into being, is taken over, and goes.
 *
 * The manager has a role on the shared memory (lib/identity) as long as it lives:
 * the kernel lets go of it at its death, whatever kind that is. So exactly one
 * process at a time makes, takes over or removes a pool, and whether there is
 * a manager is no guess. The magic number is stored last; without it the pool
 * is half-made: openers wait, and the next manager makes it anew. The version
 * is written first, so that what is half-made is known to be ours: memory of
 * another program may well begin with zeros, and is not ours to remove.
 */
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p10-sempool/entry.h"
#include "p10-sempool/grant.h"
#include "p10-sempool/memory.h"
#include "p10-sempool/object.h"
#include "p10-sempool/sempool.h"

/* Memory for the pool, of zeros but for the stub. */
static int allocate(struct sempool *pool, size_t bytes)
{
	static const struct memory_stub stub = {.version = MEMORY_VERSION};
	ssize_t n = pwrite(pool->role.fd, &stub, sizeof(stub), 0);
	int error;

	if (n != sizeof(stub))
		return n < 0 ? -errno : -ENOSPC;
	/* Not ftruncate(2): then a full /dev/shm would be told by SIGBUS, and
	 * to somebody else. */
	do
		error = posix_fallocate(pool->role.fd, 0, (off_t)bytes);
	while (error == EINTR);
	return error ? -error : object_map(pool, bytes);
}

/* Fill what is empty; the magic number comes last. */
static int fill(struct sempool *pool, unsigned int slots)
{
	struct sempool_memory *memory;
	int error;

	error = allocate(pool, memory_bytes(slots));
	if (error)
		return error;
	memory = pool->memory;
	pool->slots = slots;
	memory->slots = slots;
	memory->waiters = SEMPOOL_WAITERS;
	error = identity_place_here(&memory->made);
	if (error)
		return error;
	atomic_store(&memory->manager, *pool->self);
	if (sem_init(&memory->units, 1, slots) < 0)
		return -errno;
	/* Publishes the pool; pairs with the acquire in judge_head(). */
	atomic_store_explicit(&memory->magic, MEMORY_MAGIC,
			      memory_order_release);
	return 0;
}

/* What lies under our name goes, if it is what we have locked. */
static int unlink_ours(const struct sempool *pool)
{
	if (object_check_name(pool))
		return 0;
	return shm_unlink(pool->name) < 0 ? -errno : 0;
}

static int make(struct sempool *pool, unsigned int slots)
{
	int error = fill(pool, slots);

	if (error)
		unlink_ours(pool);
	return error;
}

static int take_over(struct sempool *pool, unsigned int slots)
{
	if (pool->slots != slots)
		return -ERANGE;
	atomic_store(&pool->memory->manager, *pool->self);
	return 0;
}

/* Open or create it, and take the role. -EAGAIN: it was just removed. */
static int lock_object(struct sempool *pool, struct stat *st)
{
	int error = object_open(pool, O_CREAT);

	if (!error)
		error = identity_role_take(&pool->role, MEMORY_MANAGER);
	if (error)
		return error;
	/* Its size may have changed before we had it. */
	if (fstat(pool->role.fd, st) < 0)
		return -errno;
	return st->st_nlink == 0 ? -EAGAIN : 0;
}

/* One attempt. -EAGAIN: once more. */
static int try_create(struct sempool *pool, unsigned int slots,
		      bool *is_taken_over)
{
	struct stat st;
	int error = lock_object(pool, &st);

	*is_taken_over = false;
	if (error)
		return error;
	if (st.st_size == 0)
		return make(pool, slots);
	error = object_map_pool(pool, &st);
	if (!error) {
		*is_taken_over = true;
		return take_over(pool, slots);
	}
	if (error == -ENOENT || error == -EAGAIN) {
		/* Its manager died on the way out, or in. We have the lock, so
		 * nobody makes it now; some may just be looking at it, which
		 * forbids to fill it or cut it down. */
		error = unlink_ours(pool);
		return error && error != -ENOENT ? error : -EAGAIN;
	}
	return error;
}

int sempool_create(struct sempool *pool, const char *name, unsigned int slots,
		   bool *is_taken_over)
{
	int error = object_begin(pool, name);

	if (!error && (slots < 1 || slots > SEMPOOL_MAX))
		error = -EINVAL;
	if (!error)
		do
			error = try_create(pool, slots, is_taken_over);
		while (error == -EAGAIN);
	if (error)
		sempool_close(pool);
	return error == -EBADMSG ? -EEXIST : error;
}

int sempool_remove(struct sempool *pool)
{
	struct sempool_memory *memory = pool->memory;
	struct entry *waiters = memory->entry + pool->slots;

	atomic_store(&memory->is_closed, 1);
	for (unsigned int i = 0; i < SEMPOOL_WAITERS; i++) {
		if (!entry_owner(atomic_load(&waiters[i].word)))
			continue;
		sem_post(&memory->units);
		grant_wake(&waiters[i]);
	}
	return unlink_ours(pool);
}
