#include "p10-sempool/object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/objname.h"
#include "lib/tick.h"
#include "p10-sempool/entry.h"
#include "p10-sempool/memory.h"

/* ---- the handle ---- */

int object_begin(struct sempool *pool, const char *name)
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

int object_open(struct sempool *pool, int flags)
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

int object_map(struct sempool *pool, size_t bytes)
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
	/* Pairs with the release at the end of sempool_manager.c:fill(). */
	uint32_t magic =
		atomic_load_explicit(&memory->magic, memory_order_acquire);
	uint32_t version = memory->version, n = memory->slots;

	if (magic == 0 && version == MEMORY_VERSION)
		return -EAGAIN;
	if (magic != MEMORY_MAGIC)
		return -EBADMSG;
	if (version != MEMORY_VERSION || memory->waiters != SEMPOOL_WAITERS)
		return -ENOTSUP;
	if (n < 1 || n > SEMPOOL_MAX || memory_bytes(n) != bytes)
		return -EBADMSG;
	if (atomic_load(&memory->is_closed))
		return -ENOENT;
	*slots = n;
	return identity_place_check(&memory->made);
}

int object_map_pool(struct sempool *pool, const struct stat *st)
{
	size_t bytes = (size_t)st->st_size;
	int error;

	if (bytes == 0)
		return -EAGAIN;
	/* A stub may be mapped too: a page of it is there. */
	if (bytes != sizeof(struct memory_stub) &&
	    (bytes < memory_bytes(1) || bytes > memory_bytes(SEMPOOL_MAX)))
		return -EBADMSG;
	error = object_map(pool, bytes);
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
	int error = object_open(pool, 0);

	if (!error && fstat(pool->role.fd, &st) < 0)
		error = -errno;
	return error ? error : object_map_pool(pool, &st);
}

int sempool_open(struct sempool *pool, const char *name, int64_t deadline)
{
	int error = object_begin(pool, name);

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

/* ---- what became of it ---- */

int object_check_name(const struct sempool *pool)
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
	return peer < 0 ? peer : object_check_name(pool);
}
