#include "p13-shm-image/segment.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

int segment_make(struct segment *segment, size_t bytes)
{
	void *at;
	int error = 0;
	int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);

	if (id < 0)
		return -errno;
	at = shmat(id, NULL, 0);
	if ((intptr_t)at == -1)
		error = -errno;
	/* In one go with the attach: from here on no crash leaves it. */
	if (shmctl(id, IPC_RMID, NULL) < 0 && !error) {
		error = -errno;
		shmdt(at);
	}
	if (error)
		return error;
	*segment = (struct segment){.id = id, .at = at, .bytes = bytes};
	return 0;
}

void segment_touch(void *begin, size_t bytes, bool is_written)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t at = (uintptr_t)begin / page * page;

	madvise((void *)at, (uintptr_t)begin + bytes - at,
		is_written ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

void segment_drop(struct segment *segment)
{
	if (segment->at)
		shmdt(segment->at);
	segment->at = NULL;
}

const char *segment_explain(int error, size_t bytes, char *buf, size_t size)
{
	struct shminfo limits = {0};
	struct shm_info used = {0};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	snprintf(buf, size, "%s", strerror(-error));
	/* The pointer is of another type for these two. */
	if (shmctl(0, IPC_INFO, (struct shmid_ds *)(void *)&limits) < 0 ||
	    shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&used) < 0)
		return buf;
	if (bytes > limits.shmmax)
		snprintf(buf, size, "larger than kernel.shmmax (%lu bytes)",
			 limits.shmmax);
	else if (used.shm_tot + (bytes + page - 1) / page > limits.shmall)
		snprintf(buf, size,
			 "more than kernel.shmall (%lu pages) allows",
			 limits.shmall);
	else if ((unsigned long)used.used_ids >= limits.shmmni)
		snprintf(buf, size, "kernel.shmmni (%lu segments) are in use",
			 limits.shmmni);
	return buf;
}
