/* segment.h - a System V segment that nobody can leave behind (UNP2 14).
 *
 * It is marked for removal as soon as we are attached: the kernel drops it
 * with the last process that has it, however that one ends, and forked
 * children have it too. ipcs(1) shows such a segment as "dest". Between the
 * two calls a kill -9 would leave it: a few microseconds.
 */
#ifndef UNIXIPC_P13_SHM_IMAGE_SEGMENT_H
#define UNIXIPC_P13_SHM_IMAGE_SEGMENT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct segment {
	int id;
	void *at;     /* zeros at first; pages come when they are touched */
	size_t bytes; /* as asked for, or rounded up to whole large pages */
};

/* Returns 0, or -EINVAL, -ENOSPC (limits of the system: see
 * segment_explain()), -ENOMEM, with nothing left. */
int segment_make(struct segment *segment, size_t bytes);
void segment_drop(struct segment *segment);

/* Which limit stood in the way, for people: "larger than kernel.shmmax
 * (4096 bytes)". buf is returned. */
const char *segment_explain(int error, size_t bytes, char *buf, size_t size);

#ifdef __cplusplus
}
#endif

#endif
