#include "p04-posix-mq/limits.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define MQUEUE "/proc/sys/fs/mqueue/"

/* What Linux counts for each message besides its bytes: a header and, for
 * each priority in use, a node of a tree. */
#define OVERHEAD 96

static bool is_beyond(long long wanted, const char *path, long long *limit)
{
	char line[32];
	FILE *file = fopen(path, "re");
	bool is_read;

	if (!file)
		return false;
	is_read = fgets(line, sizeof(line), file) != NULL;
	fclose(file);
	if (!is_read)
		return false;
	*limit = strtoll(line, NULL, 10);
	return wanted > *limit;
}

static int explain_file(const char *what, long long wanted, const char *path,
			char *why, size_t size)
{
	long long limit;

	if (!is_beyond(wanted, path, &limit))
		return 0;
	snprintf(why, size, "%lld %s, and the limit is %lld: raise %s", wanted,
		 what, limit, path);
	return 1;
}

static int explain_quota(long capacity, size_t message_bytes, char *why,
			 size_t size)
{
	unsigned long long need =
		(unsigned long long)capacity * (message_bytes + OVERHEAD);
	struct rlimit quota;

	/* With room for this queue it may still be all of the user's queues
	 * together, or the descriptors. */
	if (getrlimit(RLIMIT_MSGQUEUE, &quota) < 0)
		return 0;
	snprintf(
		why, size,
		"about %llu bytes, and all queues of a user together may have "
		"%llu: raise RLIMIT_MSGQUEUE (ulimit -q), or remove old queues",
		need, (unsigned long long)quota.rlim_cur);
	return 1;
}

int limits_explain(int error, long capacity, size_t message_bytes, char *why,
		   size_t size)
{
	switch (-error) {
	case EINVAL:
		if (explain_file("messages", capacity, MQUEUE "msg_max", why,
				 size))
			return 1;
		return explain_file("bytes a message", (long long)message_bytes,
				    MQUEUE "msgsize_max", why, size);
	case EMFILE:
		return explain_quota(capacity, message_bytes, why, size);
	case ENOSPC:
		snprintf(why, size,
			 "there are too many queues: remove some, or raise "
			 "%squeues_max",
			 MQUEUE);
		return 1;
	default:
		return 0;
	}
}
