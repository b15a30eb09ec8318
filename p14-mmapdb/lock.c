/* lock.c - F_OFD_SETLK, and not POSIX's F_SETLK: that belongs to the process,
 * and is gone as soon as it closes any descriptor of the file. */
#include "p14-mmapdb/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int ask(int fd, int command, int64_t byte, int *type)
{
	struct flock lock = {
		.l_type = (short)*type,
		.l_whence = SEEK_SET,
		.l_start = byte,
		.l_len = 1,
	};

	if (fcntl(fd, command, &lock))
		return errno == EACCES ? -EAGAIN : -errno;
	*type = lock.l_type;
	return 0;
}

int lock_try(int fd, int64_t byte, int type)
{
	int error;

	do {
		error = ask(fd, F_OFD_SETLK, byte, &type);
	} while (error == -EINTR);
	return error;
}

void lock_drop(int fd, int64_t byte)
{
	lock_try(fd, byte, F_UNLCK);
}

bool lock_is_held(int fd, int64_t byte, int type)
{
	return ask(fd, F_OFD_GETLK, byte, &type) != 0 || type != F_UNLCK;
}
