/* rangelock.c - the four forms of one system call. */
#include "p09-reclock/rangelock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/tick.h"

/* l_pid has to be 0 for F_OFD_*. */
static struct flock range(short type, int64_t first, int64_t n)
{
	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = first,
		.l_len = n,
	};
}

static short type_of(enum rangelock_kind kind)
{
	return kind == RANGELOCK_READ ? F_RDLCK : F_WRLCK;
}

int rangelock_try(struct rangelock lock, enum rangelock_kind kind,
		  int64_t first, int64_t n)
{
	struct flock fl = range(type_of(kind), first, n);

	if (fcntl(lock.fd, lock.is_ofd ? F_OFD_SETLK : F_SETLK, &fl) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

static int wait_in_queue(struct rangelock lock, enum rangelock_kind kind,
			 int64_t first, int64_t n)
{
	struct flock fl = range(type_of(kind), first, n);

	return fcntl(lock.fd, lock.is_ofd ? F_OFD_SETLKW : F_SETLKW, &fl) == 0
		       ? 0
		       : -errno;
}

int rangelock_until(struct rangelock lock, enum rangelock_kind kind,
		    int64_t first, int64_t n, int64_t deadline)
{
	int64_t pause_ns = 20 * TICK_US, wake;
	int error = rangelock_try(lock, kind, first, n);

	if (error == -EAGAIN && deadline == TICK_NEVER)
		return wait_in_queue(lock, kind, first, n);
	/* The kernel's queue knows no deadline: ask again, ever less often. */
	while (error == -EAGAIN) {
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
		wake = tick_after(pause_ns);
		error = tick_sleep_until(wake < deadline ? wake : deadline);
		if (error)
			return error;
		error = rangelock_try(lock, kind, first, n);
		if (pause_ns < 2 * TICK_MS)
			pause_ns += pause_ns / 2;
	}
	return error;
}

void rangelock_release(struct rangelock lock, int64_t first, int64_t n)
{
	struct flock fl = range(F_UNLCK, first, n);

	/* It can fail only for want of memory to split a range (-ENOLCK); what
	 * stays locked then, the end of the process gives back. */
	(void)fcntl(lock.fd, lock.is_ofd ? F_OFD_SETLK : F_SETLK, &fl);
}

pid_t rangelock_holder(struct rangelock lock, int64_t first, int64_t n)
{
	struct flock fl = range(F_WRLCK, first, n);

	if (fcntl(lock.fd, lock.is_ofd ? F_OFD_GETLK : F_GETLK, &fl) != 0 ||
	    fl.l_type == F_UNLCK)
		return 0;
	return fl.l_pid;
}
