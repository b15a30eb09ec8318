#include "p04-posix-mq/job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/tick.h"
#include "lib/visible.h"

int job_new(const char *command, uint32_t priority, struct job **job)
{
	size_t length = strlen(command) + 1;
	struct timespec now;
	struct job *made;

	if (length > JOB_COMMAND_MAX)
		return -EMSGSIZE;
	made = malloc(sizeof(*made) + length);
	if (!made)
		return -ENOMEM;
	clock_gettime(CLOCK_REALTIME, &now);
	*made = (struct job){
		.magic = JOB_MAGIC,
		.version = JOB_VERSION,
		.submitted = tick_from_timespec(now),
		.priority = priority,
		.length = (uint32_t)length,
	};
	memcpy(made->command, command, length);
	*job = made;
	return 0;
}

size_t job_bytes(const struct job *job)
{
	return sizeof(*job) + job->length;
}

int job_check(const void *bytes, size_t n)
{
	const struct job *job = bytes;

	if (n < sizeof(*job) || job->magic != JOB_MAGIC ||
	    job->version != JOB_VERSION || job->id == 0 || job->submitted < 0 ||
	    job->priority >= JOB_PRIORITIES)
		return -EBADMSG;
	if (job->length > JOB_COMMAND_MAX || job->length != n - sizeof(*job))
		return -EBADMSG;
	/* A string that ends where the bytes end, if not before. */
	if (job->length < 2 || job->command[0] == '\0' ||
	    job->command[job->length - 1] != '\0')
		return -EBADMSG;
	return 0;
}

struct job *job_copy(const struct job *job)
{
	struct job *copy = malloc(job_bytes(job));

	if (copy)
		memcpy(copy, job, job_bytes(job));
	return copy;
}

const char *job_describe(const struct job *job, char *buf, size_t size)
{
	int len = snprintf(buf, size, "%s", job->command);

	if (len >= 0 && (size_t)len >= size && size > 3)
		memcpy(buf + size - 4, "...", 4);
	visible_make(buf, strlen(buf));
	return buf;
}

bool job_precedes(const struct job *a, const struct job *b, int64_t aging_ns)
{
	int64_t key_a, key_b;

	if (aging_ns == 0) {
		if (a->priority != b->priority)
			return a->priority > b->priority;
		return a->id < b->id;
	}
	/* Priorities are below 2^15, aging_ns below 2^42: no overflow. */
	key_a = a->submitted - (int64_t)a->priority * aging_ns;
	key_b = b->submitted - (int64_t)b->priority * aging_ns;
	return key_a != key_b ? key_a < key_b : a->id < b->id;
}
