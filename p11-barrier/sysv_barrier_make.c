/* How a barrier comes into being and goes: create, reap, destroy, and look. */
#include <errno.h>
#include <sys/ipc.h>
#include <time.h>
#include <unistd.h>

#include "lib/sysv.h"
#include "lib/tick.h"
#include "p11-barrier/semset.h"
#include "p11-barrier/sysv_barrier.h"

#define HALF_MADE_NS TICK_S /* a creator that takes longer is dead, or none */
#define LEAVING_NS TICK_S   /* a participant that takes longer is stopped */

/* A set that was removed meanwhile is as if it had never been. */
static int error_of_set(void)
{
	return errno == EIDRM || errno == EINVAL ? -ENOENT : -errno;
}

/* Since when the set has been there, by the wall clock: a set that is in the
 * making is not that old. */
static int64_t deadline_for(const struct semid_ds *set)
{
	int64_t age_s = time(NULL) - set->sem_ctime;

	return tick_after(age_s >= 0 && age_s <= 1 ? HALF_MADE_NS : 0);
}

/* The id of this key's set, if that is of our size and this user's: for others
 * there is no need to wait until they are made. */
static int find(key_t key, int64_t *deadline)
{
	struct semid_ds set = {0};
	union semun arg = {.buf = &set};
	int id = semget(key, 0, 0);

	if (id < 0)
		return -errno;
	if (semctl(id, 0, IPC_STAT, arg) < 0)
		return error_of_set();
	if (set.sem_perm.cuid != geteuid())
		return -EACCES;
	*deadline = deadline_for(&set);
	return set.sem_nsems == SEMAPHORES ? id : -EEXIST;
}

int sysv_barrier_reap(key_t key)
{
	int64_t deadline = 0;
	int found = find(key, &deadline), id, count, error;

	if (found < 0)
		return found;
	id = sysv_sem_open(key, 0, deadline);
	if (id < 0)
		return id;
	/* Removed, and there is another: look at that. */
	if (id != found)
		return -EBUSY;
	count = semset_check(id);
	if (count < 0)
		return count == -EBADMSG ? -EEXIST
		       : count == -EIDRM ? -ENOENT
					 : count;
	/* Ours alone, if nobody is there: two cannot both do this. */
	struct sembuf claim[] = {
		NOW(CREATOR, 0),
		NOW(SEATS, -count),
		NOW(SEATS, count),
		UNDONE(CREATOR, 1),
	};
	error = semset_try(id, claim, LENGTH(claim));
	if (error)
		return error == -EAGAIN  ? -EBUSY
		       : error == -EIDRM ? -ENOENT
					 : error;
	return semctl(id, 0, IPC_RMID) < 0 ? error_of_set() : 0;
}

int sysv_barrier_create(key_t key, unsigned int count, int mode)
{
	/* As long as any: where the system does not allow that, say so now. */
	struct sembuf own[OPS_MAX] = {NOW(CREATOR, 0), UNDONE(CREATOR, 1)};
	unsigned short values[SEMAPHORES] = {
		[VERSION] = MAGIC,
		[COUNT] = (unsigned short)count,
		[REST] = (unsigned short)(count - 1),
		[TURNSTILE_0] = 1,
		[SEATS] = (unsigned short)count,
	};
	int id, error;

	if (count < 1 || count > SYSV_BARRIER_MAX)
		return -EINVAL;
	for (int i = 2; i < OPS_MAX; i++)
		own[i] = NOW(BROKEN, 0);
	for (;;) {
		id = sysv_sem_create(key, SEMAPHORES, values, mode);
		if (id >= 0) {
			error = semset_try(id, own, LENGTH(own));
			if (!error)
				return id;
			if (error != -EIDRM && error != -EAGAIN) {
				semctl(id, 0, IPC_RMID);
				return error;
			}
		} else if (id == -EEXIST) {
			error = sysv_barrier_reap(key);
			if (error && error != -ENOENT)
				return error;
		} else if (id != -EIDRM) {
			return id;
		}
		/* Gone meanwhile: what stood there, or ours, taken for a dead
		 * creator's while it was in the making. Once more. */
	}
}

int sysv_barrier_destroy(int id)
{
	int64_t deadline = tick_after(LEAVING_NS);
	int error = semset_check(id);

	if (error < 0)
		return error;
	do
		error = sysv_sem_op(id, INSIDE, 0, 0, deadline);
	while (error == -EINTR);
	if (error == -ETIMEDOUT)
		return -EBUSY;
	if (!error && semctl(id, 0, IPC_RMID) < 0)
		error = -errno;
	return error == -EINVAL ? -EIDRM : error;
}

int sysv_barrier_look(int id, struct sysv_barrier_state *state)
{
	unsigned short values[SEMAPHORES] = {0};
	union semun arg = {.array = values};
	int count = semset_check(id);

	if (count < 0)
		return count;
	if (semctl(id, 0, GETALL, arg) < 0)
		return errno == EINVAL ? -EIDRM : -errno;
	*state = (struct sysv_barrier_state){
		.count = values[COUNT],
		.participants = (unsigned int)values[COUNT] - values[SEATS],
		.arrived = (unsigned int)values[COUNT] - 1 - values[REST],
		.inside = values[INSIDE],
		.is_broken = values[BROKEN] > 0,
		.has_creator = values[CREATOR] > 0,
	};
	return 0;
}
