/* Coming to a named ring and removing it. All of it happens under the lock of
 * the name, RING_BYTE_NAME, so that nobody sees a half-made object, or enters one
 * whose name is being removed. What is to be made anew gets a new object: who
 * still has the old one mapped reads on in it.
 */
#include "p12-shm-ring/ring.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/objname.h"
#include "lib/shmname.h"
#include "p12-shm-ring/ring_handle.h"

static const struct ring_options defaults;

/* With the name locked, and the object empty. */
static int make_object(const struct identity_role *role, const char *name,
		       const struct ring_options *options)
{
	struct stat st;
	int rc;

	if (fstat(role->fd, &st) < 0)
		return -errno;
	/* Nobody may have prepared it for us. */
	if (st.st_uid != geteuid())
		return -EACCES;
	rc = ring_map_make(role->fd, ring_map_capacity(options->capacity));
	if (!rc && options->mode && fchmod(role->fd, options->mode) < 0)
		rc = -errno;
	if (rc)
		shmname_remove(role, name);
	return rc;
}

static bool is_anybody_in(const struct identity_role *role)
{
	bool has_met = false;

	for (int side = RING_SENDER; side <= RING_RECEIVER; side++)
		if (identity_role_look(role, RING_BYTE + side, &has_met) !=
		    IDENTITY_PEER_ABSENT)
			return true;
	return false;
}

/* Whether somebody has sat there, now or before. */
static bool was_seat_used(int fd, enum ring_side side)
{
	struct ring_header header;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header))
		return true;
	return side == RING_SENDER
		       ? atomic_load(&header.sender.state) != RING_VACANT ||
				 atomic_load(&header.tail) != 0
		       : atomic_load(&header.receiver.state) != RING_VACANT ||
				 atomic_load(&header.read) != 0;
}

/* With the name locked: what is_fresh asks for. 0: this ring will do, as only
 * the living have been in it; 1: it is to be made anew; -EAGAIN. */
static int look_for_others(const struct identity_role *role,
			   enum ring_side side)
{
	const enum ring_side other =
		side == RING_SENDER ? RING_RECEIVER : RING_SENDER;
	const bool is_used = was_seat_used(role->fd, side);

	if (is_anybody_in(role))
		return is_used ? -EAGAIN : 0;
	return is_used || was_seat_used(role->fd, other);
}

/* With the name locked. -EAGAIN: later, perhaps; -ESTALE: the name has been
 * freed for another object. */
static int prepare_object(const struct identity_role *role, const char *name,
			  enum ring_side side,
			  const struct ring_options *options)
{
	size_t capacity;
	int rc = ring_map_check(role->fd, &capacity);

	if (rc == -ENODATA && options->capacity)
		return make_object(role, name, options);
	if (rc == 0 && options->is_fresh)
		rc = look_for_others(role, side);
	else if (rc == -ENOENT || rc == -ENODATA)
		rc = 1; /* its maker has died */
	if (rc <= 0)
		return rc;
	if (!options->capacity)
		return -ENOENT;
	rc = shmname_remove(role, name);
	return rc ? rc : -ESTALE;
}

static int open_once(struct ring **ring, const char *name, enum ring_side side,
		     const struct ring_options *options, int64_t deadline)
{
	const int64_t lock = RING_BYTE + RING_BYTE_NAME;
	struct identity_role role;
	int rc;

	do {
		rc = shmname_enter(&role, name, options->capacity ? 0600 : 0,
				   options->is_anybodys, lock, deadline);
		if (rc) /* of such a mode we make none */
			return rc == -EPERM ? -EBADMSG : rc;
		rc = prepare_object(&role, name, side, options);
		if (!rc)
			rc = ring_enter(ring, &role, name, side, options, NULL);
		if (!rc) {
			rc = identity_role_give_up(&role, lock);
			if (rc) { /* else nobody could come or go any more */
				ring_abandon(*ring);
				*ring = NULL;
			}
			return rc;
		}
		identity_role_close(&role);
	} while (rc == -ESTALE);
	return rc;
}

static int check_options(const struct ring_options *options)
{
	if (options->capacity && !ring_map_capacity(options->capacity))
		return -EINVAL;
	/* As identity_role_open() has it. */
	return options->mode & 0444 & ~((options->mode & 0222) << 1) ? -EINVAL
								     : 0;
}

int ring_open(struct ring **ring, const char *name, enum ring_side side,
	      const struct ring_options *options, int64_t deadline)
{
	int64_t pause_ns = 50 * TICK_US;
	int rc = objname_check(name);

	*ring = NULL;
	options = options ? options : &defaults;
	if (!rc)
		rc = check_options(options);
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
static int remove_object(const struct identity_role *role, const char *name)
{
	size_t capacity;
	int rc = ring_map_check(role->fd, &capacity);

	if (rc && rc != -ENOENT && rc != -ENODATA)
		return rc;
	if (is_anybody_in(role))
		return -EBUSY;
	rc = shmname_remove(role, name);
	return rc == -ESTALE ? -ENOENT : rc;
}

int ring_remove(const char *name)
{
	struct identity_role role;
	int rc = objname_check(name);

	if (!rc)
		rc = shmname_enter(&role, name, 0, true,
				   RING_BYTE + RING_BYTE_NAME,
				   tick_after(TICK_S));
	if (rc)
		return rc == -ETIMEDOUT ? -EBUSY : rc == -EPERM ? -EBADMSG : rc;
	rc = remove_object(&role, name);
	identity_role_close(&role);
	return rc;
}
