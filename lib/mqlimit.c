/* mqlimit.c - each limit once, with its words and the command that raises it. */
#include "lib/mqlimit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* What Linux counts for each message besides its bytes: a header and, for each
 * priority in use, a node of a tree. */
#define OVERHEAD 96

static const struct {
	const char *name, *path;
	const char *before, *after; /* the value, in words */
} limits[MQLIMITS] = {
	[MQLIMIT_MESSAGES] = {"fs.mqueue.msg_max",
			      "/proc/sys/fs/mqueue/msg_max", "queue limit",
			      "messages"},
	[MQLIMIT_MESSAGE_BYTES] = {"fs.mqueue.msgsize_max",
				   "/proc/sys/fs/mqueue/msgsize_max",
				   "message limit", "bytes"},
	[MQLIMIT_QUEUES] = {"fs.mqueue.queues_max",
			    "/proc/sys/fs/mqueue/queues_max", "limit",
			    "queues of all users"},
	[MQLIMIT_USER_BYTES] = {"RLIMIT_MSGQUEUE", NULL, "limit",
				"bytes for all queues of a user"},
};

const char *mqlimit_name(enum mqlimit limit)
{
	return limits[limit].name;
}

static int64_t read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[32], *end = line;
	int64_t value = -1;

	if (!file)
		return -1;
	if (fgets(line, sizeof(line), file))
		value = strtoll(line, &end, 10);
	fclose(file);
	return end == line ? -1 : value;
}

int64_t mqlimit_read(enum mqlimit limit)
{
	struct rlimit quota;

	if (limits[limit].path)
		return read_file(limits[limit].path);
	/* Unlimited is as good as not known: nothing is beyond it. */
	if (getrlimit(RLIMIT_MSGQUEUE, &quota) < 0 ||
	    quota.rlim_cur > INT64_MAX)
		return -1;
	return (int64_t)quota.rlim_cur;
}

const char *mqlimit_fix(enum mqlimit limit, int64_t value, char *buf,
			size_t size)
{
	if (limits[limit].path)
		snprintf(buf, size, "sysctl -w %s=%lld", limits[limit].name,
			 (long long)value);
	else
		snprintf(buf, size, "ulimit -q %lld", (long long)value);
	return buf;
}

/* The line for one that is at value, and has to be wanted. */
static bool say(enum mqlimit limit, int64_t value, int64_t wanted, char *why,
		size_t size)
{
	char fix[80];

	snprintf(why, size, "%s %lld %s; raise: %s", limits[limit].before,
		 (long long)value, limits[limit].after,
		 mqlimit_fix(limit, wanted, fix, sizeof(fix)));
	return true;
}

static bool say_if_beyond(enum mqlimit limit, int64_t wanted, char *why,
			  size_t size)
{
	int64_t value = mqlimit_read(limit);

	return value >= 0 && wanted > value &&
	       say(limit, value, wanted, why, size);
}

static int64_t cost(int queues, int64_t messages, size_t message_bytes)
{
	return queues * messages * (int64_t)(message_bytes + OVERHEAD);
}

int mqlimit_check(int queues, int64_t messages, size_t message_bytes, char *why,
		  size_t size)
{
	return say_if_beyond(MQLIMIT_MESSAGES, messages, why, size) ||
	       say_if_beyond(MQLIMIT_MESSAGE_BYTES, (int64_t)message_bytes, why,
			     size) ||
	       say_if_beyond(MQLIMIT_USER_BYTES,
			     cost(queues, messages, message_bytes), why, size);
}

/* EMFILE is also what a process without a free descriptor gets, and a user whose
 * other queues have taken most of his bytes. */
static bool explain_emfile(int64_t messages, size_t message_bytes, char *why,
			   size_t size)
{
	const int64_t need = cost(1, messages, message_bytes);
	int64_t quota = mqlimit_read(MQLIMIT_USER_BYTES);
	int fd = open("/", O_PATH | O_CLOEXEC);

	if (fd < 0) {
		snprintf(why, size, "no descriptor is free; raise: ulimit -n");
		return true;
	}
	close(fd);
	/* This one would fit, if there were not the user's others. */
	return say_if_beyond(MQLIMIT_USER_BYTES, need, why, size) ||
	       say(MQLIMIT_USER_BYTES, quota, quota + need, why, size);
}

int mqlimit_explain(int error, int64_t messages, size_t message_bytes,
		    char *why, size_t size)
{
	const int64_t queues = mqlimit_read(MQLIMIT_QUEUES);

	switch (-error) {
	case EINVAL:
		return say_if_beyond(MQLIMIT_MESSAGES, messages, why, size) ||
		       say_if_beyond(MQLIMIT_MESSAGE_BYTES,
				     (int64_t)message_bytes, why, size);
	case EMFILE:
		return explain_emfile(messages, message_bytes, why, size);
	case ENOSPC:
		return say(MQLIMIT_QUEUES, queues, 2 * queues, why, size);
	default:
		return 0;
	}
}
