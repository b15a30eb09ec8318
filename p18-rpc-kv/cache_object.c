#include "p18-rpc-kv/cache_object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"

enum { TRIES = 16 }; /* when others come in between, each time anew */

/* ---- layout ---- */

/* FNV-1a. Two keys of one hash only drive each other out. */
uint64_t cache_object_tag(const void *key, size_t key_len)
{
	const unsigned char *bytes = key;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < key_len; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash ? hash : 1;
}

/* The multiplication brings all bits of the hash into the upper 20, as the last
 * bytes of a key have not reached each of them (Knuth, volume 3, 6.4). */
size_t cache_object_bucket(uint64_t tag, size_t slots)
{
	static_assert(CACHE_SLOTS_MAX == 1 << 20, "the bits that are left");

	return (size_t)(tag * UINT64_C(0x9e3779b97f4a7c15) >> 44) &
	       (slots - 1) & ~(size_t)(CACHE_WAYS - 1);
}

static size_t bytes_for(size_t slots)
{
	return CACHE_SUPER_BYTES +
	       slots * (sizeof(uint64_t) + sizeof(struct cache_slot));
}

static int map_object(int fd, size_t slots, int protection,
		      struct cache_map *map)
{
	unsigned char *base =
		mmap(NULL, bytes_for(slots), protection, MAP_SHARED, fd, 0);

	if (base == MAP_FAILED)
		return -errno;
	map->super = (struct cache_super *)base;
	map->tags = (uint64_t *)(base + CACHE_SUPER_BYTES);
	map->slots = (struct cache_slot *)(map->tags + slots);
	map->n_slots = slots;
	map->bytes = bytes_for(slots);
	return 0;
}

void cache_object_unmap(struct cache_map *map)
{
	if (map->super)
		munmap(map->super, map->bytes);
	*map = (struct cache_map){0};
}

/* ---- names and locks ---- */

static int open_name(const char *name, int flags)
{
	int fd = shm_open(name, flags, 0600);

	if (fd >= 0)
		return fdio_above_std(fd);
	/* glibc says EINVAL of a folder; the name is sound. */
	return errno == EINVAL || errno == ELOOP || errno == ENXIO ? -EACCES
								   : -errno;
}

/* A write lock of the descriptor's, not of the process's: closing another
 * descriptor of the same object does not drop it. */
static int lock(int fd)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &all) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

/* Asking for a read lock, so that it is enough to have opened it to read. */
int cache_object_has_server(int fd)
{
	struct flock all = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_GETLK, &all) < 0)
		return -errno;
	return all.l_type != F_UNLCK;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* On Linux an object is /dev/shm/NAME. To look there needs no descriptor. */
bool cache_object_is_named(const char *name, int fd)
{
	char path[CACHE_NAME_MAX + 16];
	struct stat ours, named;

	snprintf(path, sizeof(path), "/dev/shm%s", name);
	return fstat(fd, &ours) == 0 && lstat(path, &named) == 0 &&
	       is_same(&ours, &named);
}

void cache_object_unname(const char *name, int fd)
{
	if (cache_object_is_named(name, fd))
		shm_unlink(name);
}

/* ---- the server's way ---- */

/* Whether a server made it, or was killed before it could say so. */
static bool is_of_a_server(int fd)
{
	uint64_t magic = 0;
	const ssize_t n = pread(fd, &magic, sizeof(magic), 0);

	return n == 0 || (n == (ssize_t)sizeof(magic) &&
			  (magic == 0 || magic == CACHE_MAGIC));
}

/* Remove what a dead server of ours left. It is never used again: who still
 * maps it would take the new server's for the old one's. */
static int remove_leftover(const char *name)
{
	int fd = open_name(name, O_RDWR);
	struct stat st;
	int error = 0;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (fstat(fd, &st) < 0)
		error = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		error = -EACCES;
	else
		error = lock(fd);
	/* With the lock, as a server fills it in while it has that. */
	if (!error && !is_of_a_server(fd))
		error = -EACCES;
	if (!error)
		cache_object_unname(name, fd);
	fdio_close(&fd);
	return error;
}

/* One that is new, locked, and has the name. Somebody may have taken it for a
 * leftover before it was locked: then -EBUSY or -EAGAIN. */
static int make_locked(const char *name)
{
	int fd = open_name(name, O_RDWR | O_CREAT | O_EXCL);
	int error;

	if (fd < 0)
		return fd;
	error = lock(fd);
	if (!error && !cache_object_is_named(name, fd))
		error = -EAGAIN;
	if (error)
		fdio_close(&fd);
	return error ? error : fd;
}

static int make_any(const char *name)
{
	for (int i = 0; i < TRIES; i++) {
		int fd = remove_leftover(name);

		if (fd == 0)
			fd = make_locked(name);
		if (fd != -EEXIST && fd != -EAGAIN)
			return fd;
	}
	return -EBUSY;
}

/* posix_fallocate, unlike ftruncate, fails now where a full file system would
 * be a SIGBUS later. */
static int allocate(int fd, size_t bytes)
{
	int error;

	do
		error = posix_fallocate(fd, 0, (off_t)bytes);
	while (error == EINTR);
	return -error;
}

int cache_object_make(const char *name, size_t slots, struct cache_map *map)
{
	int fd = make_any(name);
	int error;

	if (fd < 0)
		return fd;
	error = allocate(fd, bytes_for(slots));
	if (!error)
		error = map_object(fd, slots, PROT_READ | PROT_WRITE, map);
	if (error) {
		cache_object_unname(name, fd);
		fdio_close(&fd);
	}
	return error ? error : fd;
}

/* Its inode: another namespace has it only after the last who lived in this one has
 * died, and the server, which does, is known to live by its lock. */
static uint64_t namespace_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_ino : 0;
}

int cache_object_publish(int fd, mode_t mode, struct cache_map *map,
			 const struct cache_identity *identity)
{
	struct cache_super *super = map->super;

	super->version = CACHE_VERSION;
	super->slot_bytes = sizeof(struct cache_slot);
	super->slots = map->n_slots;
	super->time_namespace = namespace_of("/proc/self/ns/time");
	super->net_namespace = namespace_of("/proc/self/ns/net");
	super->identity = *identity;
	super->state = CACHE_SERVING;
	/* What is above is there when the number is: readers look at it by
	 * pread(2) first, which begins after this store. */
	__atomic_store_n(&super->magic, CACHE_MAGIC, __ATOMIC_RELEASE);
	return fchmod(fd, mode) < 0 ? -errno : 0;
}

/* ---- the reader's way ---- */

static int check_super(const struct cache_super *super, off_t bytes)
{
	if (super->magic == 0)
		return -EAGAIN;
	if (super->magic != CACHE_MAGIC || super->version != CACHE_VERSION ||
	    super->slot_bytes != sizeof(struct cache_slot) ||
	    super->slots < CACHE_WAYS || super->slots > CACHE_SLOTS_MAX ||
	    super->slots & (super->slots - 1) ||
	    bytes != (off_t)bytes_for(super->slots))
		return -EBADMSG;
	if (super->state == CACHE_ENDED)
		return -ENOENT;
	if (super->time_namespace != namespace_of("/proc/self/ns/time") ||
	    super->net_namespace != namespace_of("/proc/self/ns/net"))
		return -EXDEV;
	return 0;
}

static int check_object(int fd, uid_t owner, struct cache_super *super)
{
	struct stat st;
	ssize_t n;
	int has_server;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != owner ||
	    st.st_mode & (S_IWGRP | S_IWOTH))
		return -EACCES;
	has_server = cache_object_has_server(fd);
	if (has_server <= 0)
		return has_server < 0 ? has_server : -EOWNERDEAD;
	n = pread(fd, super, sizeof(*super), 0);
	if (n < 0)
		return -errno;
	if (n < (ssize_t)sizeof(*super)) /* it is just being made */
		return n == 0 ? -EAGAIN : -EBADMSG;
	return check_super(super, st.st_size);
}

int cache_object_find(const char *name, uid_t owner, struct cache_map *map,
		      struct cache_identity *identity)
{
	int fd = open_name(name, O_RDONLY);
	struct cache_super super = {0};
	int error;

	if (fd < 0)
		return fd;
	error = check_object(fd, owner, &super);
	if (!error)
		error = map_object(fd, super.slots, PROT_READ, map);
	if (error)
		fdio_close(&fd);
	else
		*identity = super.identity;
	return error ? error : fd;
}
