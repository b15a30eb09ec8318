#include "p13-shm-image/segment.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include "p13-shm-image/pages.h"

static void *attach(int id, size_t bytes)
{
	void *at = shmat(id, pages_room(bytes), 0);

	/* Another thread may have been quicker there. */
	return (intptr_t)at == -1 ? shmat(id, NULL, 0) : at;
}

/* In whole large pages, if the system's limits have room for that. */
static int make(size_t *bytes)
{
	size_t whole = pages_whole(*bytes);
	int id = shmget(IPC_PRIVATE, whole, IPC_CREAT | 0600);

	if (id < 0)
		return shmget(IPC_PRIVATE, *bytes, IPC_CREAT | 0600);
	*bytes = whole;
	return id;
}

int segment_make(struct segment *segment, size_t bytes)
{
	void *at;
	int error = 0, id = make(&bytes);

	if (id < 0)
		return -errno;
	at = attach(id, bytes);
	if ((intptr_t)at == -1)
		error = -errno;
	/* Right after the attach: from here on no crash leaves the segment. */
	if (shmctl(id, IPC_RMID, NULL) < 0 && !error) {
		error = -errno;
		shmdt(at);
	}
	if (error)
		return error;
	*segment = (struct segment){.id = id, .at = at, .bytes = bytes};
	pages_begin(segment);
	return 0;
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
