/* A record lock on a file without a name. */
#include "suite/sync/syncop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void destroy(void *state)
{
	int *fd = state;

	close(*fd);
	free(fd);
}

static int create(void **state, int members)
{
	int *fd = malloc(sizeof(*fd));

	(void)members;
	if (!fd)
		return -ENOMEM;
	*fd = memfd_create("record lock", MFD_CLOEXEC);
	if (*fd < 0) {
		int error = -errno;

		free(fd);
		return error;
	}
	*state = fd;
	return 0;
}

static int change(const int *fd, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_len = 1};

	while (fcntl(*fd, F_SETLKW, &lock))
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int enter(void *state)
{
	return change(state, F_WRLCK);
}

static int leave(void *state)
{
	return change(state, F_UNLCK);
}

const struct syncop syncop_fcntl = {
	.name = "fcntl",
	.title = "Record lock (fcntl)",
	.summary =
		"bytes of a file, locked by a process; the kernel lets go at its exit",
	.create = create,
	.enter = enter,
	.leave = leave,
	.destroy = destroy,
};
