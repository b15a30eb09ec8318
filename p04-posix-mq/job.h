/* job.h - a job, as it travels through the queue and lies in the journal.
 *
 * The struct is the message: fixed widths, magic and version first, the
 * command behind it. Both ends are on one machine, so bytes stay in its
 * order. What was received or read is not a job before job_check() said so.
 * Functions may be called by any thread.
 */
#ifndef UNIXIPC_P04_POSIX_MQ_JOB_H
#define UNIXIPC_P04_POSIX_MQ_JOB_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define JOB_MAGIC UINT32_C(0x31424f4a) /* "JOB1" */
#define JOB_VERSION 1
#define JOB_PRIORITIES 32768 /* 0 … 32767: MQ_PRIO_MAX on Linux */
#define JOB_COMMAND_MAX (UINT32_C(1) << 20)

/* Beyond it job_precedes() could overflow; who waits longer needs no aging. */
#define JOB_AGING_MAX_NS INT64_C(3600000000000)

struct job {
	uint32_t magic;
	uint32_t version;
	uint64_t journal;  /* identity of the journal that gave the id */
	uint64_t id;       /* 1, 2, 3 …, never twice in a journal */
	int64_t submitted; /* ns since the epoch, >= 0 */
	uint32_t priority; /* also that of its message */
	uint32_t length;   /* of the command with its NUL */
	char command[];
};
static_assert(sizeof(struct job) == 40, "the format of a message");

/* A new job, submitted now, without an id. Returns 0 and *job, to be given to
 * free(), -EMSGSIZE (the command is longer than JOB_COMMAND_MAX) or -ENOMEM. */
int job_new(const char *command, uint32_t priority, struct job **job);

/* Bytes of the whole message. */
size_t job_bytes(const struct job *job);

/* Whether n bytes, aligned as a struct job, are a sound one: 0 or -EBADMSG.
 * The command is then a string, not empty, within the rest. Takes the same
 * time for all lengths. */
int job_check(const void *bytes, size_t n);

/* An own copy, or NULL. */
struct job *job_copy(const struct job *job);

/* The command for people, in one line: '?' for control characters, "..." where
 * it is cut to fit. buf is returned. */
const char *job_describe(const struct job *job, char *buf, size_t size);

/* Whether a is to start before b. Without aging (0): higher priority first,
 * of equals the older. With aging a job gains one priority each aging_ns that
 * it waits. All gain at the same pace, so their order never changes while
 * they wait: a start before b if it was submitted earlier after aging_ns were
 * taken off for each priority. Nobody therefore waits for a job that came
 * more than (difference of priorities) x aging_ns later. */
bool job_precedes(const struct job *a, const struct job *b, int64_t aging_ns);

#ifdef __cplusplus
}
#endif

#endif
