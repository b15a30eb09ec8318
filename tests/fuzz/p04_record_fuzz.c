/* Any bytes, as a record of the journal and as a message of the queue. What is
 * taken for sound must be: a command that is a string within the bytes, and
 * fields that can be shown and compared. A record is tried as it is, and with
 * the checksums that it should have. Seeds: tests/fuzz/p04_record_fuzz. */
#include "p04-posix-mq/durable/record.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static void use(const struct job *job, size_t n)
{
	struct job *copy = job_copy(job);
	char text[32];

	must(job_bytes(job) == n);
	must(sizeof(*job) + strlen(job->command) + 1 <= n);
	must(strlen(job_describe(job, text, sizeof(text))) < sizeof(text));
	must(copy && memcmp(copy, job, n) == 0);
	must(!job_precedes(job, copy, 0));
	must(!job_precedes(job, copy, JOB_AGING_MAX_NS));
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *bytes = malloc(size ? size : 1); /* aligned, and no byte more */
	const struct job *job;

	must(bytes != NULL);
	if (size)
		memcpy(bytes, data, size);
	if (job_check(bytes, size) == 0)
		use(bytes, size);
	if (record_check(bytes, size, &job) == 0)
		use(job, size - sizeof(struct record_head));
	if (size >= sizeof(struct record_head) + sizeof(struct job)) {
		record_seal(bytes, size);
		if (record_check(bytes, size, &job) == 0)
			use(job, size - sizeof(struct record_head));
	}
	free(bytes);
	return 0;
}
