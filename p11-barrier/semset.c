#include "p11-barrier/semset.h"

#include <errno.h>

#include "lib/sysv.h"
#include "lib/tick.h"

int semset_operate(int id, struct sembuf *ops, size_t n, int64_t deadline)
{
	struct timespec left = {0};

	if (deadline != TICK_NEVER)
		left = tick_to_timespec(tick_left(deadline));
	if (semtimedop(id, ops, n, deadline == TICK_NEVER ? NULL : &left) == 0)
		return 0;
	/* A set that was removed earlier is EINVAL, while we slept EIDRM. */
	return errno == EINVAL ? -EIDRM : -errno;
}

int semset_try(int id, struct sembuf *ops, size_t n)
{
	return semset_operate(id, ops, n, TICK_NEVER);
}

int semset_value(int id, int sem)
{
	int value = semctl(id, sem, GETVAL);

	if (value >= 0)
		return value;
	return errno == EINVAL ? -EIDRM : -errno;
}

int semset_check(int id)
{
	unsigned short values[SEMAPHORES] = {0};
	struct semid_ds set = {0};
	union semun arg = {.buf = &set};

	if (semctl(id, 0, IPC_STAT, arg) < 0)
		return errno == EINVAL ? -EIDRM : -errno;
	if (set.sem_nsems != SEMAPHORES)
		return -EBADMSG;
	arg.array = values;
	if (semctl(id, 0, GETALL, arg) < 0)
		return errno == EINVAL ? -EIDRM : -errno;
	if (values[VERSION] != MAGIC || values[COUNT] == 0)
		return -EBADMSG;
	return values[COUNT];
}
