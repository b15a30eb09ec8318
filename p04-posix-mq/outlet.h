/* outlet.h - an output stream that all commands share, a sink.
 *
 * Its reader may be slow, or never read, and the dispatcher does not wait for
 * that. An outlet holds the bytes that it could not write yet, and takes no more
 * output before they are out: so no line is torn by another command's, and a
 * command that has more to write is held back at its own pipe, where nothing is
 * lost. The dispatcher's lines about jobs are not worth that: they are dropped,
 * and counted.
 *
 * For one thread. Functions return 0 or -errno: -EPIPE, -ENOSPC, ...
 */
#ifndef UNIXIPC_P04_POSIX_MQ_OUTLET_H
#define UNIXIPC_P04_POSIX_MQ_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OUTLET_MAX 65537 /* bytes at a time: LINE_BUFFER_MAX and a newline */

struct outlet {
	int fd;       /* not ours; others may share it: its flags stay */
	uint64_t out; /* bytes, since the beginning */
	size_t held, written; /* bytes in buf, and of them those that are out */
	unsigned long dropped; /* lines, since one was taken */
	int error;             /* the first that was returned */
	char buf[OUTLET_MAX + 4096];
};

void outlet_init(struct outlet *outlet, int fd);

/* Whether it takes something: all that it had is out. */
bool outlet_is_free(const struct outlet *outlet);

/* Write n bytes, OUTLET_MAX at most, or hold what does not go yet. The outlet is
 * free. *end: all is out when outlet->out is not less. */
int outlet_put(struct outlet *outlet, const char *bytes, size_t n,
	       uint64_t *end);

/* Write what is held, as far as it goes: when fd is writable. */
int outlet_flush(struct outlet *outlet);

/* The same, until all is out: -ETIMEDOUT. */
int outlet_drain(struct outlet *outlet, int64_t deadline);

/* A line, with its newline. It goes behind what is held, or is dropped where that
 * is too much, and the next one that is not tells how many were. */
int outlet_say(struct outlet *outlet, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif

#endif
