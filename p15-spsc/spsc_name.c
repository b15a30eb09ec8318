/* spsc_name.c - a queue with a name: made once, under the lock of its name, and
 * entered with a lock for each role (lib/shmname, lib/identity). */
#include "p15-spsc/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/objname.h"
#include "lib/shmname.h"
#include "lib/tick.h"

struct wanted {
	const char *name;
	enum spsc_role role;
	uint64_t item_bytes, capacity;
	int64_t deadline;
};

static int write_at(int fd, const void *buf, size_t bytes)
{
	ssize_t n = pwrite(fd, buf, bytes, 0);

	return n < 0 ? -errno : (size_t)n == bytes ? 0 : -ENOSPC;
}

/* A kill between any two of these leaves something empty, or that begins with
 * SPSC_MAKING. */
static int fill(int fd, const struct wanted *wanted)
{
	size_t bytes = spsc_bytes(wanted->item_bytes, wanted->capacity);
	struct spsc header;
	int error;

	spsc_fill(&header, wanted->item_bytes, wanted->capacity, SPSC_BY_LOCK,
		  0);
	header.magic = SPSC_MAKING;
	error = write_at(fd, &header.magic, sizeof(header.magic));
	/* Not ftruncate(2): memory that is missing is an error now, and not a
	 * SIGBUS later. */
	if (!error)
		do
			error = -posix_fallocate(fd, 0, (off_t)bytes);
		while (error == -EINTR);
	if (!error)
		error = write_at(fd, &header, sizeof(header));
	header.magic = SPSC_MAGIC;
	return error ? error : write_at(fd, &header, sizeof(header.magic));
}

/* What the object is, read without a risk: 0, -ENODATA (empty), -ENOENT
 * (half-made), or as attaching. item_bytes 0: any. */
static int inspect(int fd, uint64_t item_bytes, size_t *bytes,
		   uint64_t *capacity)
{
	struct spsc header = {0};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size == 0)
		return -ENODATA;
	if (pread(fd, &header, sizeof(header), 0) < 0)
		return -errno;
	*bytes = (size_t)st.st_size;
	if (header.magic == SPSC_MAKING)
		return -ENOENT;
	return spsc_validate(&header, *bytes,
			     item_bytes ? item_bytes : header.item_bytes,
			     SPSC_BY_LOCK, capacity);
}

/* With the name locked: 0 when it is a queue; -ESTALE: the name has been freed
 * for another object. */
static int prepare(const struct identity_role *role,
		   const struct wanted *wanted, size_t *bytes,
		   uint64_t *capacity)
{
	int error = inspect(role->fd, wanted->item_bytes, bytes, capacity);
	struct stat st;

	if (error != -ENODATA && error != -ENOENT)
		return error;
	if (!wanted->capacity)
		return -ENOENT;
	if (fstat(role->fd, &st) < 0)
		return -errno;
	/* Nobody may have prepared it for us. */
	if (st.st_uid != geteuid())
		return -EACCES;
	if (error == -ENODATA)
		error = fill(role->fd, wanted);
	if (!error)
		return inspect(role->fd, wanted->item_bytes, bytes, capacity);
	if (error != -ENOENT) {
		shmname_remove(role, wanted->name);
		return error;
	}
	error = shmname_remove(role, wanted->name);
	return error ? error : -ESTALE; /* its maker had died */
}

/* Map it and take the role. */
static int sit_down(const struct identity_role *role,
		    const struct wanted *wanted, size_t bytes,
		    struct spsc_seat **seat, struct spsc **shared)
{
	struct spsc_seat *made = calloc(1, sizeof(*made));
	void *at = MAP_FAILED;
	int error = made ? 0 : -ENOMEM;

	if (!error)
		error = identity_role_take(role, SPSC_BYTE + wanted->role);
	if (!error) {
		at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, role->fd, 0);
		error = at == MAP_FAILED ? -errno : 0;
	}
	if (error) {
		free(made);
		return error;
	}
	*shared = (struct spsc *)at;
	made->role = *role;
	made->bytes = bytes;
	made->first = __atomic_load_n(wanted->role == SPSC_PRODUCER
					      ? &(*shared)->head
					      : &(*shared)->tail,
				      __ATOMIC_ACQUIRE);
	/* A queue that was used has had both. */
	made->has_met = made->first != 0;
	snprintf(made->name, sizeof(made->name), "%s", wanted->name);
	*seat = made;
	return 0;
}

static int enter(const struct wanted *wanted, struct spsc_seat **seat,
		 struct spsc **shared, uint64_t *capacity)
{
	const int64_t lock = SPSC_BYTE + SPSC_BYTE_NAME;
	struct identity_role role;
	size_t bytes = 0;
	int error = objname_check(wanted->name);

	if (!error && (wanted->item_bytes == 0 ||
		       (wanted->capacity &&
			!spsc_bytes(wanted->item_bytes, wanted->capacity))))
		error = -EINVAL;
	if (error)
		return error;
	do {
		error = shmname_enter(&role, wanted->name,
				      wanted->capacity ? 0600 : 0, false, lock,
				      wanted->deadline);
		if (error) /* of such a mode we make none */
			return error == -EPERM ? -EBADMSG : error;
		error = prepare(&role, wanted, &bytes, capacity);
		if (!error)
			error = sit_down(&role, wanted, bytes, seat, shared);
		if (!error) {
			error = identity_role_give_up(&role, lock);
			if (error) /* else nobody could come or go any more */
				spsc_role_forget(*shared, *seat);
			return error;
		}
		identity_role_close(&role);
	} while (error == -ESTALE);
	return error;
}

int spsc_open_producer(struct spsc_producer *producer, const char *name,
		       uint64_t item_bytes, uint64_t capacity, int64_t deadline)
{
	const struct wanted wanted = {name, SPSC_PRODUCER, item_bytes, capacity,
				      deadline};
	struct spsc_seat *seat;
	struct spsc *shared;
	int error = enter(&wanted, &seat, &shared, &capacity);

	if (error)
		return error;
	error = spsc_produce(producer, shared, item_bytes, capacity);
	if (error)
		spsc_role_forget(shared, seat);
	else
		producer->seat = seat;
	return error;
}

int spsc_open_consumer(struct spsc_consumer *consumer, const char *name,
		       uint64_t item_bytes, uint64_t capacity, int64_t deadline)
{
	const struct wanted wanted = {name, SPSC_CONSUMER, item_bytes, capacity,
				      deadline};
	struct spsc_seat *seat;
	struct spsc *shared;
	int error = enter(&wanted, &seat, &shared, &capacity);

	if (error)
		return error;
	error = spsc_consume(consumer, shared, item_bytes, capacity);
	if (error)
		spsc_role_forget(shared, seat);
	else
		consumer->seat = seat;
	return error;
}

static int remove_object(const struct identity_role *role, const char *name)
{
	bool has_met = false;
	uint64_t capacity;
	size_t bytes;
	int error = inspect(role->fd, 0, &bytes, &capacity);

	if (error && error != -ENOENT && error != -ENODATA)
		return -EBADMSG;
	for (int side = SPSC_PRODUCER; side <= SPSC_CONSUMER; side++)
		if (identity_role_look(role, SPSC_BYTE + side, &has_met) !=
		    IDENTITY_PEER_ABSENT)
			return -EBUSY;
	error = shmname_remove(role, name);
	return error == -ESTALE ? -ENOENT : error;
}

int spsc_remove(const char *name)
{
	struct identity_role role;
	int error = objname_check(name);

	if (!error)
		error = shmname_enter(&role, name, 0, true,
				      SPSC_BYTE + SPSC_BYTE_NAME,
				      tick_after(TICK_S));
	if (error)
		return error == -ETIMEDOUT ? -EBUSY
		       : error == -EPERM   ? -EBADMSG
					   : error;
	error = remove_object(&role, name);
	identity_role_close(&role);
	return error;
}
