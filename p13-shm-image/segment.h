/* segment.h - a System V segment that nobody can leave behind (UNP2 14).
 *
 * It is marked for removal as soon as we are attached: the kernel drops it
 * with the last process that has it, however that one ends, and forked
 * children have it too. ipcs(1) shows such a segment as "dest". Between the
 * two calls a kill -9 would leave it: a few microseconds.
 */
#ifndef UNIXIPC_P13_SHM_IMAGE_SEGMENT_H
#define UNIXIPC_P13_SHM_IMAGE_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>

struct segment {
	int id;
	void *at;     /* zeros at first; pages come when they are touched */
	size_t bytes; /* as asked for, or rounded up to whole large pages */
};

/* Returns 0, or -EINVAL, -ENOSPC (limits of the system: see
 * segment_explain()), -ENOMEM, with nothing left. */
int segment_make(struct segment *segment, size_t bytes);
void segment_drop(struct segment *segment);

/* Have this part of it in the caller's page table before it is read or
 * written: one call for many page faults, of which each costs as much as
 * blurring a few hundred pixels. What is to be written comes in large pages of
 * 2 MB, all those that have a byte of this part, where the kernel has such: 25
 * of them are 50 MB, which are else 12288 page faults, for each process again.
 * It needs no privilege and no hugetlbfs, but Linux 6.1 (before 5.14 nothing is
 * done at all). What is there already stays as it is. */
void segment_touch(const struct segment *segment, const void *begin,
		   size_t bytes, bool is_written);

/* Which limit stood in the way, for people: "larger than kernel.shmmax
 * (4096 bytes)". buf is returned. */
const char *segment_explain(int error, size_t bytes, char *buf, size_t size);

#endif
