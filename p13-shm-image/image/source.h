/* source.h - bytes of a file, a pipe or of memory, in order, with a look
 * ahead at the first few. One reader; blocks as read(2) does, but not beyond a
 * stop: a sender may keep a pipe open and be silent. */
#ifndef UNIXIPC_P13_SHM_IMAGE_IMAGE_SOURCE_H
#define UNIXIPC_P13_SHM_IMAGE_IMAGE_SOURCE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct source {
	int fd;      /* -1: memory alone; stays the caller's */
	int stop_fd; /* readable: give up waiting with -EINTR; -1: none */
	const uint8_t *at, *end;
	uint8_t buf[65536];
};

/* stop_fd is -1 then, and may be set. */
void source_from_fd(struct source *source, int fd);
void source_from_memory(struct source *source, const void *bytes, size_t len);

/* The next byte, which stays: 0 … 255, or -ENODATA at the end, or -errno. */
int source_peek(struct source *source);

/* Read len bytes: 0, -ENODATA when the end comes before, or -errno. */
int source_read(struct source *source, void *buf, size_t len);

#endif
