/* A bounded buffer with a name: shared memory that is made in three steps, of
 * which the last, the magic number, says that the others are done. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/identity.h"
#include "lib/objname.h"
#include "lib/tick.h"
#include "p07-prodcons/bounded_layout.h"

static int map(int fd, size_t size, void **memory)
{
	*memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return *memory == MAP_FAILED ? -errno : 0;
}

/* Give a new object its size and its contents. */
static int fill(struct bounded *buffer, int fd, uint32_t capacity,
		uint32_t item_bytes, unsigned int mode)
{
	size_t size = bounded_bytes(capacity, item_bytes);
	void *memory;
	int error;

	/* The umask has had its say about the mode of shm_open. */
	if (fchmod(fd, (mode_t)mode) < 0)
		return -errno;
	/* Not ftruncate: on a full /dev/shm that would succeed, and the first
	 * touch would be SIGBUS. */
	error = -posix_fallocate(fd, 0, (off_t)size);
	if (error)
		return error;
	error = map(fd, size, &memory);
	if (error)
		return error;
	error = bounded_init(buffer, memory, capacity, item_bytes, true);
	if (error)
		munmap(memory, size);
	return error;
}

int bounded_create(struct bounded *buffer, const char *name, uint32_t capacity,
		   uint32_t item_bytes, unsigned int mode)
{
	int fd, error = objname_check(name);

	*buffer = (struct bounded){0};
	if (error || bounded_bytes(capacity, item_bytes) == 0)
		return error ? error : -EINVAL;
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return -errno;
	error = fill(buffer, fd, capacity, item_bytes, mode);
	if (error)
		shm_unlink(name);
	close(fd);
	return error;
}

/* Whose it is, before a byte of it is believed. */
static int check_owner(int fd, uid_t owner)
{
	struct stat file;

	if (fstat(fd, &file) < 0)
		return -errno;
	if (file.st_uid != owner)
		return -EACCES;
	return S_ISREG(file.st_mode) ? 0 : -EBADMSG;
}

/* Whether its creator has come to the end: 1, 0 for not yet, or -errno. */
static int is_made(int fd, size_t *size)
{
	uint32_t magic = 0;
	struct stat file;

	if (fstat(fd, &file) < 0)
		return -errno;
	if (file.st_size == 0)
		return 0;
	*size = (size_t)file.st_size;
	if (*size < BOUNDED_LAYOUT_SLOTS)
		return -EBADMSG;
	/* A look; whoever maps it reads it again, with the order it takes. */
	if (pread(fd, &magic, sizeof(magic), 0) != sizeof(magic))
		return -EBADMSG;
	return magic != 0;
}

static int wait_until_made(int fd, int64_t deadline, size_t *size)
{
	int is;

	while ((is = is_made(fd, size)) == 0) {
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
		/* Nothing tells of a creator's progress, and it is a matter of
		 * microseconds. */
		if (tick_sleep_until(tick_after(TICK_MS)))
			return -EINTR;
	}
	return is < 0 ? is : 0;
}

/* A handle for the memory of a buffer. */
static int attach(struct bounded *buffer, void *memory, size_t size)
{
	int error = bounded_layout_attach(buffer, memory, size, true);

	return error ? error : identity_place_check(&buffer->state->place);
}

int bounded_open_of(struct bounded *buffer, const char *name, uid_t owner,
		    int64_t deadline)
{
	size_t size = 0;
	void *memory;
	int fd, error = objname_check(name);

	*buffer = (struct bounded){0};
	if (error)
		return error;
	fd = shm_open(name, O_RDWR, 0);
	if (fd < 0)
		return -errno;
	error = check_owner(fd, owner);
	if (!error)
		error = wait_until_made(fd, deadline, &size);
	if (!error)
		error = map(fd, size, &memory);
	close(fd);
	if (error)
		return error;
	error = attach(buffer, memory, size);
	if (error) {
		munmap(memory, size);
		buffer->state = NULL;
	}
	return error;
}

int bounded_open(struct bounded *buffer, const char *name, int64_t deadline)
{
	return bounded_open_of(buffer, name, geteuid(), deadline);
}

void bounded_close(struct bounded *buffer)
{
	if (buffer->state)
		munmap(buffer->state,
		       bounded_bytes(buffer->capacity, buffer->item_bytes));
	buffer->state = NULL;
}

int bounded_remove(const char *name)
{
	return shm_unlink(name) < 0 ? -errno : 0;
}
