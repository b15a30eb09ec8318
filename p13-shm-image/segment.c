#include "p13-shm-image/segment.h"

#include <errno.h>
#include <linux/mman.h> /* MADV_COLLAPSE */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

/* A large page, on the machines that have them. */
enum { LARGE = 2 << 20 };

/* Where nothing is mapped, and a large page can begin; NULL: anywhere. */
static void *find_room(size_t bytes)
{
	char *room = mmap(NULL, bytes + LARGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (room == MAP_FAILED)
		return NULL;
	munmap(room, bytes + LARGE);
	return room + (LARGE - (uintptr_t)room % LARGE) % LARGE;
}

static void *attach(int id, size_t bytes)
{
	void *at = shmat(id, find_room(bytes), 0);

	/* Another thread may have been quicker there. */
	return (intptr_t)at == -1 ? shmat(id, NULL, 0) : at;
}

/* In whole large pages, if the system's limits have room for that. */
static int make(size_t *bytes)
{
	size_t whole = *bytes;
	int id;

	if (whole >= LARGE && whole <= SIZE_MAX - LARGE)
		whole = (whole + LARGE - 1) / LARGE * LARGE;
	id = shmget(IPC_PRIVATE, whole, IPC_CREAT | 0600);
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
	/* In one go with the attach: from here on no crash leaves it. */
	if (shmctl(id, IPC_RMID, NULL) < 0 && !error) {
		error = -errno;
		shmdt(at);
	}
	if (error)
		return error;
	*segment = (struct segment){.id = id, .at = at, .bytes = bytes};
	if (bytes >= LARGE)
		segment_touch(segment, at, 1, true);
	return 0;
}

static bool is_there(uintptr_t at, uintptr_t page)
{
	unsigned char is_resident = 0;

	return mincore((void *)at, page, &is_resident) == 0 && is_resident & 1;
}

/* The kernel makes one of what is there and zeros for the rest, but not of
 * nothing: so one small page first. Where the last one of them is there, it
 * has been made: and not to be asked for again, as the kernel would begin each
 * time with having all processors put away what they have in hand. */
static void make_large(uintptr_t at, uintptr_t page)
{
	if (!is_there(at + LARGE - page, page) &&
	    madvise((void *)at, page, MADV_POPULATE_WRITE) == 0)
		madvise((void *)at, LARGE, MADV_COLLAPSE);
}

void segment_touch(const struct segment *segment, const void *begin,
		   size_t bytes, bool is_written)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = (uintptr_t)segment->at, last = first + segment->bytes;
	uintptr_t at = (uintptr_t)begin / page * page;
	uintptr_t end = (uintptr_t)begin + bytes;

	for (uintptr_t large = at / LARGE * LARGE; is_written && large < end;
	     large += LARGE)
		if (large >= first && large + LARGE <= last)
			make_large(large, page);
	madvise((void *)at, end - at,
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
