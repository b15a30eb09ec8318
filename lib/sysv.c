#include "lib/sysv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/tick.h"

/* Give the set its values, then use it once: that first semop(2) is what
 * openers wait for, so it comes last. It adds up to nothing, and goes down
 * first where it can, because up from the maximum would fail. */
static int initialise(int id, const unsigned short *values)
{
	short first = values[0] > 0 ? -1 : 1;
	struct sembuf ops[2] = {
		{.sem_num = 0, .sem_op = first, .sem_flg = IPC_NOWAIT},
		{.sem_num = 0, .sem_op = (short)-first, .sem_flg = IPC_NOWAIT},
	};
	/* SETALL only reads. */
	union semun arg = {.array = (unsigned short *)(uintptr_t)values};

	if (semctl(id, 0, SETALL, arg) < 0 || semop(id, ops, 2) < 0)
		/* Removed before the call, or during it: the same to us. */
		return errno == EINVAL ? -EIDRM : -errno;
	return 0;
}

int sysv_sem_create(key_t key, int n, const unsigned short *values, int mode)
{
	int id = semget(key, n, IPC_CREAT | IPC_EXCL | (mode & 0777));
	int error;

	if (id < 0)
		return -errno;
	error = initialise(id, values);
	if (error) {
		semctl(id, 0, IPC_RMID);
		return error;
	}
	return id;
}

/* Wait until somebody has used the set. The kernel can wake nobody for that,
 * so we ask again after a pause that grows from 50 us to 10 ms: the creator
 * needs microseconds unless it is dead or stopped. */
static int wait_for_first_use(int id, int64_t deadline)
{
	int64_t pause_ns = 50 * TICK_US, next;
	struct semid_ds set = {0};
	union semun arg = {.buf = &set};
	int error;

	for (;;) {
		if (semctl(id, 0, IPC_STAT, arg) < 0)
			/* Removed since semget(2): there is no such set. */
			return errno == EIDRM || errno == EINVAL ? -ENOENT
								 : -errno;
		if (set.sem_otime != 0)
			return 0;
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
		next = tick_after(pause_ns);
		error = tick_sleep_until(next < deadline ? next : deadline);
		if (error)
			return error;
		if (pause_ns < 10 * TICK_MS)
			pause_ns *= 2;
	}
}

int sysv_sem_open(key_t key, int n, int64_t deadline)
{
	int id, error;

	/* Of that key semget(2) makes one, whatever the flags. */
	if (key == IPC_PRIVATE)
		return -ENOENT;
	id = semget(key, n, 0);
	if (id < 0)
		return -errno;
	error = wait_for_first_use(id, deadline);
	return error ? error : id;
}

int sysv_sem_create_or_open(key_t key, int n, const unsigned short *values,
			    int mode, int64_t deadline, bool *created)
{
	int id;

	for (;;) {
		id = sysv_sem_create(key, n, values, mode);
		*created = id >= 0;
		if (id != -EEXIST)
			return id;
		id = sysv_sem_open(key, n, deadline);
		/* Removed between the two calls: ours to create, then. */
		if (id != -ENOENT)
			return id;
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
	}
}

int sysv_sem_op(int id, unsigned short index, short op, short flags,
		int64_t deadline)
{
	struct sembuf operation = {
		.sem_num = index, .sem_op = op, .sem_flg = flags};
	struct timespec left;

	for (;;) {
		left = tick_to_timespec(tick_left(deadline));
		if (semtimedop(id, &operation, 1,
			       deadline == TICK_NEVER ? NULL : &left) == 0)
			return 0;
		if (errno != EAGAIN || (flags & IPC_NOWAIT))
			return -errno;
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
	}
}

int sysv_sem_remove(int id, const struct identity_object *made)
{
	struct identity_object now;
	int error = identity_of_sysv(IDENTITY_SYSV_SEM, id, &now);

	switch (identity_compare(made, error, &now)) {
	case IDENTITY_SAME:
		if (semctl(id, 0, IPC_RMID) < 0)
			return errno == EIDRM || errno == EINVAL ? 0 : -errno;
		return 0;
	case IDENTITY_GONE:
		return 0;
	case IDENTITY_ANOTHER:
		return -ESTALE;
	case IDENTITY_CANNOT_TELL:
		break;
	}
	return error ? error : -EXDEV;
}

int sysv_key(const char *path, int project, key_t *key)
{
	if ((project & 0xff) == 0)
		return -EINVAL; /* undefined by POSIX, and may give 0 */
	errno = 0;
	*key = ftok(path, project);
	/* -1 is also a key like any other. */
	return *key == -1 && errno ? -errno : 0;
}

int sysv_parse_key(const char *text, key_t *key)
{
	bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = is_hex ? text + 2 : text;
	size_t len = strspn(digits,
			    is_hex ? "0123456789abcdefABCDEF" : "0123456789");
	unsigned long value;

	if (len == 0 || digits[len] != '\0')
		return -EINVAL;
	errno = 0;
	value = strtoul(digits, NULL, is_hex ? 16 : 10);
	if (errno || value > UINT32_MAX)
		return -ERANGE;
	if (value == 0)
		return -EINVAL;
	*key = (key_t)(uint32_t)value;
	return 0;
}
