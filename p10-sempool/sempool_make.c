/* sempool_make.c - how a pool comes into being, is found, and goes.
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
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/objname.h"
#include "lib/tick.h"
#include "p10-sempool/grant.h"
#include "p10-sempool/memory.h"
#include "p10-sempool/sempool.h"

/* All that a pool is at first; the beginning of struct sempool_memory. */
struct stub {
	uint32_t magic, version;
};

static_assert(offsetof(struct sempool_memory, magic) == 0 &&
		      offsetof(struct sempool_memory, version) == 4,
	      "a stub is the beginning of a pool");

static size_t bytes_for(unsigned int slots)
{
	return sizeof(struct sempool_memory) +
	       (slots + SEMPOOL_WAITERS) * sizeof(struct entry);
}

/* ---- the handle ---- */

static int begin(struct sempool *pool, const char *name)
{
	int error = objname_check(name);

	*pool = (struct sempool){.role.fd = -1};
	if (error)
		return error;
	snprintf(pool->name, sizeof(pool->name), "%s", name);
	pool->self = mmap(NULL, sizeof(*pool->self), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pool->self == MAP_FAILED) {
		pool->self = NULL;
		return -errno;
	}
	if (madvise(pool->self, sizeof(*pool->self), MADV_WIPEONFORK) < 0)
		return -errno;
	*pool->self = entry_self();
	return *pool->self ? 0 : -ENOSYS;
}

void sempool_close(struct sempool *pool)
{
	if (pool->memory)
		munmap(pool->memory, pool->bytes);
	if (pool->self)
		munmap(pool->self, sizeof(*pool->self));
	identity_role_close(&pool->role); /* and with it the manager's */
	pool->memory = NULL;
	pool->self = NULL;
}

/* Whether what we have opened may be a pool at all: of this user, and nobody
 * may read it who may not write it. */
static int adopt(struct sempool *pool, int fd)
{
	struct stat st;
	int error = 0;

	if (fstat(fd, &st) < 0)
		error = -errno;
	else if (st.st_uid != geteuid())
		error = -EACCES;
	else if (!S_ISREG(st.st_mode))
		error = -EBADMSG;
	else
		error = identity_role_open(&pool->role, fd);
	if (error)
		close(fd);
	return error == -EPERM ? -EBADMSG : error;
}

static int open_object(struct sempool *pool, int flags)
{
	int fd;

	identity_role_close(&pool->role);
	fd = shm_open(pool->name, O_RDWR | flags, 0600);
	if (fd < 0) {
		bool is_folder = errno == EINVAL, is_link = errno == ELOOP,
		     is_socket = errno == ENXIO;

		return is_folder || is_link || is_socket ? -EBADMSG : -errno;
	}
	fd = fdio_above_std(fd);
	return fd < 0 ? fd : adopt(pool, fd);
}

static int map(struct sempool *pool, size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			    pool->role.fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	pool->memory = memory;
	pool->bytes = bytes;
	return 0;
}

static void unmap(struct sempool *pool)
{
	munmap(pool->memory, pool->bytes);
	pool->memory = NULL;
}

/* ---- what is there ---- */

/* What the head says of a memory of that size; slots only if it is 0. */
static int judge_head(const struct sempool_memory *memory, size_t bytes,
		      unsigned int *slots)
{
	/* Pairs with the release at the end of fill(). */
	uint32_t magic =
		atomic_load_explicit(&memory->magic, memory_order_acquire);
	uint32_t version = memory->version, n = memory->slots;

	if (magic == 0 && version == MEMORY_VERSION)
		return -EAGAIN;
	if (magic != MEMORY_MAGIC)
		return -EBADMSG;
	if (version != MEMORY_VERSION || memory->seats != SEMPOOL_WAITERS)
		return -ENOTSUP;
	if (n < 1 || n > SEMPOOL_MAX || bytes_for(n) != bytes)
		return -EBADMSG;
	if (atomic_load(&memory->is_closed))
		return -ENOENT;
	*slots = n;
	return identity_place_check(&memory->made);
}

/* Map it if it is a pool. Returns 0, -EAGAIN (half-made), -ENOENT (closed),
 * -EBADMSG, -ENOTSUP, -EXDEV, -ENOSYS. */
static int map_pool(struct sempool *pool, const struct stat *st)
{
	size_t bytes = (size_t)st->st_size;
	int error;

	if (bytes == 0)
		return -EAGAIN;
	/* A stub may be mapped too: a page of it is there. */
	if (bytes != sizeof(struct stub) &&
	    (bytes < bytes_for(1) || bytes > bytes_for(SEMPOOL_MAX)))
		return -EBADMSG;
	error = map(pool, bytes);
	if (error)
		return error;
	error = judge_head(pool->memory, bytes, &pool->slots);
	if (error)
		unmap(pool);
	return error;
}

static int try_open(struct sempool *pool)
{
	struct stat st;
	int error = open_object(pool, 0);

	if (!error && fstat(pool->role.fd, &st) < 0)
		error = -errno;
	return error ? error : map_pool(pool, &st);
}

int sempool_open(struct sempool *pool, const char *name, int64_t deadline)
{
	int error = begin(pool, name);

	while (!error) {
		error = try_open(pool);
		if (error != -ENOENT && error != -EAGAIN)
			break;
		if (tick_is_over(deadline)) {
			error = error == -EAGAIN ? -ETIMEDOUT : error;
			break;
		}
		/* A name that appears is nothing that one could sleep on. */
		error = tick_sleep_until(tick_after(2 * TICK_MS));
	}
	if (error)
		sempool_close(pool);
	return error;
}

/* ---- the manager ---- */

/* Memory for the pool, of zeros but for the stub. */
static int allocate(struct sempool *pool, size_t bytes)
{
	static const struct stub stub = {.version = MEMORY_VERSION};
	ssize_t n = pwrite(pool->role.fd, &stub, sizeof(stub), 0);
	int error;

	if (n != sizeof(stub))
		return n < 0 ? -errno : -ENOSPC;
	/* Not ftruncate(2): then a full /dev/shm would be told by SIGBUS, and
	 * to somebody else. */
	do
		error = posix_fallocate(pool->role.fd, 0, (off_t)bytes);
	while (error == EINTR);
	return error ? -error : map(pool, bytes);
}

/* Fill what is empty; the magic number comes last. */
static int fill(struct sempool *pool, unsigned int slots)
{
	struct sempool_memory *memory;
	int error;

	error = allocate(pool, bytes_for(slots));
	if (error)
		return error;
	memory = pool->memory;
	pool->slots = slots;
	memory->slots = slots;
	memory->seats = SEMPOOL_WAITERS;
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

/* Whether the name is still that of our memory: 0 or -EIDRM; what keeps us from
 * looking is no answer. */
static int check_name(const struct sempool *pool)
{
	int fd = shm_open(pool->name, O_RDONLY, 0);
	struct stat named;
	bool is_ours;

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM
			       ? 0
			       : -EIDRM;
	is_ours = fstat(fd, &named) == 0 && named.st_ino == pool->role.inode &&
		  named.st_dev == pool->role.device;
	close(fd);
	return is_ours ? 0 : -EIDRM;
}

int sempool_check(const struct sempool *pool)
{
	bool has_met = false;
	int peer;

	if (atomic_load(&pool->memory->is_closed))
		return -EIDRM;
	peer = identity_role_look(&pool->role, MEMORY_MANAGER, &has_met);
	return peer < 0 ? peer : check_name(pool);
}

/* What lies under our name goes, if it is what we have locked. */
static int unlink_ours(const struct sempool *pool)
{
	if (check_name(pool))
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
	int error = open_object(pool, O_CREAT);

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
	error = map_pool(pool, &st);
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
	int error = begin(pool, name);

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
	struct entry *seats = memory->entry + pool->slots;

	atomic_store(&memory->is_closed, 1);
	for (unsigned int i = 0; i < SEMPOOL_WAITERS; i++) {
		if (!entry_owner(atomic_load(&seats[i].word)))
			continue;
		sem_post(&memory->units);
		grant_call(&seats[i]);
	}
	return unlink_ours(pool);
}
