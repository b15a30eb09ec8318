/* shmname.c - see shmname.h. */
#include "lib/shmname.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"

/* Times that the name leads elsewhere by the time its object is locked. */
enum { TRIES = 1000 };

static int open_object(const char *name, mode_t mode)
{
	int fd = shm_open(name, O_RDWR, 0), error;

	/* Not both at once: what O_CREAT finds may be another's trap. */
	if (fd < 0 && errno == ENOENT && mode)
		fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, mode);
	if (fd >= 0)
		return fdio_above_std(fd);
	error = -errno;
	/* The name is sound: glibc says EINVAL of a folder. */
	if (error == -EINVAL || error == -ENXIO || error == -EISDIR)
		return -EBADMSG;
	return error == -EEXIST ? -EAGAIN : error;
}

static int inspect(int fd, bool is_anybodys)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	return is_anybodys || st.st_uid == 0 || st.st_uid == geteuid()
		       ? 0
		       : -EACCES;
}

/* -EAGAIN: another has come or gone in between. */
static int enter_once(struct identity_role *role, const char *name, mode_t mode,
		      bool is_anybodys, int64_t byte, int64_t deadline)
{
	int fd = open_object(name, mode), error;

	if (fd < 0)
		return fd;
	error = inspect(fd, is_anybodys);
	if (!error)
		error = identity_role_open(role, fd);
	if (error) {
		close(fd);
		return error;
	}
	error = identity_role_take_until(role, byte, deadline);
	if (!error && shmname_is_lost(role, name))
		error = -EAGAIN;
	if (error)
		identity_role_close(role);
	return error;
}

int shmname_enter(struct identity_role *role, const char *name, mode_t mode,
		  bool is_anybodys, int64_t byte, int64_t deadline)
{
	int error = -EAGAIN;

	for (int i = 0; error == -EAGAIN && i < TRIES; i++)
		error = enter_once(role, name, mode, is_anybodys, byte,
				   deadline);
	return error == -EAGAIN ? -ETIMEDOUT : error;
}

bool shmname_is_lost(const struct identity_role *role, const char *name)
{
	char path[300];
	struct stat st;

	/* Where glibc and musl have it: shm_overview(7). */
	snprintf(path, sizeof(path), "/dev/shm%s", name);
	if (lstat(path, &st) < 0)
		return errno == ENOENT;
	return st.st_dev != role->device || st.st_ino != role->inode;
}

int shmname_remove(const struct identity_role *role, const char *name)
{
	if (shmname_is_lost(role, name))
		return -ESTALE;
	return shm_unlink(name) < 0 ? -errno : 0;
}
