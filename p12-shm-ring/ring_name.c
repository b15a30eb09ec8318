/* Coming to a named ring and removing it. All of it happens under the lock
 * RING_SEAT_NAME, so that nobody sees a half-made object, or enters one whose
 * name is being removed.
 */
#include "p12-shm-ring/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/objname.h"
#include "p12-shm-ring/ring_handle.h"
#include "p12-shm-ring/ring_seat.h"

static const struct ring_options defaults;

static int open_object(const char *name, const struct ring_options *options)
{
	const mode_t mode = options->mode ? options->mode : 0600;
	int fd = shm_open(name, O_RDWR, 0);
	int error = 0;

	if (fd < 0)
		error = -errno;
	if (error == -ENOENT && options->capacity) {
		fd = shm_open(name, O_RDWR | O_CREAT, mode);
		error = fd < 0 ? -errno : 0;
	}
	/* The name is sound: glibc says EINVAL of a folder. */
	if (error)
		return error == -EINVAL || error == -ENXIO ? -EBADMSG : error;
	return fdio_above_std(fd);
}

static int make_object(int fd, const char *name,
		       const struct ring_options *options)
{
	size_t capacity = ring_map_capacity(options->capacity);
	struct stat st;
	int rc;

	if (!capacity)
		return -EINVAL;
	if (fstat(fd, &st) < 0)
		return -errno;
	/* Nobody may have prepared it for us. */
	if (st.st_uid != geteuid())
		return -EACCES;
	rc = ring_map_make(fd, capacity);
	if (!rc && options->mode && fchmod(fd, options->mode) < 0)
		rc = -errno;
	if (rc)
		shm_unlink(name);
	return rc;
}

static bool is_anybody_in(int fd)
{
	return ring_seat_is_taken(fd, RING_SENDER) ||
	       ring_seat_is_taken(fd, RING_RECEIVER);
}

/* Whether somebody has sat there, now or before. */
static bool was_seat_used(int fd, enum ring_side side)
{
	struct ring_header header;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header))
		return true;
	return atomic_load(side == RING_SENDER
				   ? &header.sender.state
				   : &header.receiver.state) != RING_VACANT;
}

/* With the name locked: what is_fresh asks for. 0: this ring will do, as only
 * the living have been in it; 1: it is to be made anew; -EAGAIN. */
static int look_for_others(int fd, enum ring_side side)
{
	const enum ring_side other =
		side == RING_SENDER ? RING_RECEIVER : RING_SENDER;
	const bool is_used = was_seat_used(fd, side);

	if (is_anybody_in(fd))
		return is_used ? -EAGAIN : 0;
	return is_used || was_seat_used(fd, other);
}

/* With the name locked. -EAGAIN: later, perhaps. */
static int prepare_object(int fd, const char *name, enum ring_side side,
			  const struct ring_options *options)
{
	struct stat st;
	size_t capacity;
	int rc;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_nlink == 0)
		return -EAGAIN; /* removed since we opened it */
	rc = ring_map_check(fd, &capacity);
	if (rc == -ENOENT && options->capacity)
		return make_object(fd, name, options);
	if (rc || !options->is_fresh)
		return rc;
	rc = look_for_others(fd, side);
	if (rc <= 0)
		return rc;
	return options->capacity ? make_object(fd, name, options) : -ENOENT;
}

static int open_once(struct ring **ring, const char *name, enum ring_side side,
		     const struct ring_options *options, int64_t deadline)
{
	int fd = open_object(name, options);
	int rc;

	if (fd < 0)
		return fd;
	rc = ring_seat_take_until(fd, RING_SEAT_NAME, deadline);
	if (!rc) {
		rc = prepare_object(fd, name, side, options);
		if (!rc)
			rc = ring_enter(ring, fd, side, options, NULL);
		ring_seat_leave(fd, RING_SEAT_NAME);
	}
	if (rc)
		fdio_close(&fd);
	return rc;
}

int ring_open(struct ring **ring, const char *name, enum ring_side side,
	      const struct ring_options *options, int64_t deadline)
{
	int64_t pause_ns = 50 * TICK_US;
	int rc = objname_check(name);

	options = options ? options : &defaults;
	if (!rc && options->capacity && !ring_map_capacity(options->capacity))
		rc = -EINVAL;
	if (rc)
		return rc;
	for (;;) {
		rc = open_once(ring, name, side, options, deadline);
		if (rc != -EAGAIN)
			return rc;
		if (tick_is_over(deadline))
			return -EBUSY;
		/* Nobody wakes us when those inside have left. */
		rc = tick_sleep_until(tick_after(pause_ns));
		if (rc)
			return rc;
		if (pause_ns < 10 * TICK_MS)
			pause_ns *= 2;
	}
}

/* With the name locked. */
static int remove_object(int fd, const char *name)
{
	struct stat st;
	size_t capacity;
	int rc;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_nlink == 0)
		return -ENOENT;
	rc = ring_map_check(fd, &capacity);
	if (rc && rc != -ENOENT)
		return rc;
	if (is_anybody_in(fd))
		return -EBUSY;
	return shm_unlink(name) < 0 ? -errno : 0;
}

int ring_remove(const char *name)
{
	int fd, rc = objname_check(name);

	if (rc)
		return rc;
	fd = open_object(name, &defaults);
	if (fd < 0)
		return fd;
	rc = ring_seat_take_until(fd, RING_SEAT_NAME, tick_after(TICK_S));
	if (!rc)
		rc = remove_object(fd, name);
	fdio_close(&fd);
	return rc == -ETIMEDOUT ? -EBUSY : rc;
}
