#include "p12-shm-ring/ring_seat.h"

#include <errno.h>
#include <fcntl.h>

#include "lib/tick.h"

/* Far beyond the data: locks may lie where no bytes are. */
#define FIRST_BYTE ((off_t)1 << 40)

static int lock(int fd, int command, int seat, short type)
{
	struct flock lock = {.l_type = type,
			     .l_whence = SEEK_SET,
			     .l_start = FIRST_BYTE + seat,
			     .l_len = 1};

	if (fcntl(fd, command, &lock) < 0)
		return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
	return command == F_OFD_GETLK && lock.l_type != F_UNLCK ? -EBUSY : 0;
}

int ring_seat_take(int fd, int seat)
{
	return lock(fd, F_OFD_SETLK, seat, F_WRLCK);
}

int ring_seat_leave(int fd, int seat)
{
	return lock(fd, F_OFD_SETLK, seat, F_UNLCK);
}

/* F_OFD_SETLKW knows no deadline, and nothing wakes us at one; so we ask again
 * after a pause. It is held for microseconds, unless its holder is stopped. */
int ring_seat_take_until(int fd, int seat, int64_t deadline)
{
	int64_t pause_ns = 50 * TICK_US, next;
	int rc;

	for (;;) {
		rc = ring_seat_take(fd, seat);
		if (rc != -EBUSY)
			return rc;
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
		next = tick_after(pause_ns);
		rc = tick_sleep_until(next < deadline ? next : deadline);
		if (rc)
			return rc;
		if (pause_ns < 10 * TICK_MS)
			pause_ns *= 2;
	}
}

bool ring_seat_is_taken(int fd, int seat)
{
	return lock(fd, F_OFD_GETLK, seat, F_WRLCK) != 0;
}
