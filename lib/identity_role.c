/* identity_role.c - roles that the kernel holds: OFD locks of one byte. POSIX's
 * own locks (F_SETLK) belong to the process, and are gone as soon as it closes
 * any descriptor of the file. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/identity.h"
#include "lib/tick.h"

/* Whether the number is still our file's: who closes all descriptors closes
 * ours, and the next open takes its number. */
static int check(const struct identity_role *role)
{
	struct stat st;

	if (role->fd < 0 || fstat(role->fd, &st) < 0)
		return -EBADF;
	return st.st_dev == role->device && st.st_ino == role->inode ? 0
								     : -ESTALE;
}

/* *type is what is asked for, and what F_OFD_GETLK found. */
static int lock(const struct identity_role *role, int command, int64_t byte,
		short *type)
{
	struct flock lock = {.l_type = *type,
			     .l_whence = SEEK_SET,
			     .l_start = byte,
			     .l_len = 1};

	if (fcntl(role->fd, command, &lock) < 0)
		return errno == EACCES ? -EAGAIN : -errno;
	*type = lock.l_type;
	return 0;
}

int identity_role_open(struct identity_role *role, int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	*role = (struct identity_role){.fd = -1};
	/* Of O_PATH the access mode is O_RDONLY. */
	if (flags < 0 || (flags & O_ACCMODE) != O_RDWR || fstat(fd, &st) < 0)
		return -EBADF;
	if (st.st_mode & 0444 & ~((st.st_mode & 0222) << 1))
		return -EPERM;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	*role = (struct identity_role){
		.fd = fd, .device = st.st_dev, .inode = st.st_ino};
	return 0;
}

void identity_role_close(struct identity_role *role)
{
	if (check(role) == 0)
		close(role->fd);
	role->fd = -1;
}

int identity_role_take(const struct identity_role *role, int64_t byte)
{
	int error = check(role);

	while (!error) {
		short wanted = F_WRLCK, found = F_WRLCK;

		error = lock(role, F_OFD_SETLK, byte, &wanted);
		if (error != -EAGAIN)
			return error;
		error = lock(role, F_OFD_GETLK, byte, &found);
		if (!error && found == F_WRLCK)
			error = -EBUSY;
		else if (!error && found == F_RDLCK)
			error = -EPERM;
		/* else it has been given up in between: once more */
	}
	return error;
}

int identity_role_take_until(const struct identity_role *role, int64_t byte,
			     int64_t deadline)
{
	int64_t pause_ns = 50 * TICK_US, next;
	int error;

	while ((error = identity_role_take(role, byte)) == -EBUSY) {
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
		next = tick_after(pause_ns);
		error = tick_sleep_until(next < deadline ? next : deadline);
		if (error)
			break;
		if (pause_ns < 8 * TICK_MS)
			pause_ns *= 2;
	}
	return error;
}

int identity_role_give_up(const struct identity_role *role, int64_t byte)
{
	short type = F_UNLCK;
	int error = check(role);

	return error ? error : lock(role, F_OFD_SETLK, byte, &type);
}

int identity_role_look(const struct identity_role *role, int64_t byte,
		       bool *has_met)
{
	short type = F_RDLCK;
	int error = check(role);

	if (!error)
		error = lock(role, F_OFD_GETLK, byte, &type);
	if (error)
		return error;
	if (type != F_UNLCK) {
		*has_met = true;
		return IDENTITY_PEER_PRESENT;
	}
	return *has_met ? IDENTITY_PEER_GONE : IDENTITY_PEER_ABSENT;
}
