/* pages.h - which pages a segment comes in: large ones where it can be, and
 * asked for at once. For speed alone; see mincore(2) and madvise(2). */
#ifndef UNIXIPC_P13_SHM_IMAGE_PAGES_H
#define UNIXIPC_P13_SHM_IMAGE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "p13-shm-image/segment.h"

/* As many bytes in whole large pages of 2 MB, from one such page on. */
size_t pages_whole(size_t bytes);

/* An address for shmat(2) where nothing is mapped now and a large page can
 * begin; NULL: anywhere. */
void *pages_room(size_t bytes);

/* The first large page of a new segment, if it has one. */
void pages_begin(const struct segment *segment);

/* Have this part of a segment in the caller's page table before it is read or
 * written: one call for many page faults, of which each costs as much as
 * blurring a few hundred pixels. What is to be written comes in large pages of
 * 2 MB, all those that have a byte of this part, where the kernel has such: 25
 * of them are 50 MB, which are else 12288 page faults, for each process again.
 * It needs no privilege and no hugetlbfs, but Linux 6.1 (before 5.14 nothing is
 * done at all). What is there already stays as it is. */
void pages_touch(const struct segment *segment, const void *begin, size_t bytes,
		 bool is_written);

#endif
