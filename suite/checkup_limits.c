/* What is wanted is what `benchmark --all` and the chapters need at most:
 * messages of 64 KB, some tens of objects. */
#include "suite/checkup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "lib/mqlimit.h"

#define MQUEUE_FS_MAGIC 0x19800202 /* ipc/mqueue.c in the kernel */
#define SHM_WANTED_MB 64

/* A number in a file below /proc/sys. */
struct limit {
	const char *name; /* as of sysctl(8), and the path with '.' for '/' */
	const char *part; /* of a line of several numbers; NULL: the only one */
	int index;
	uint64_t wanted;
	const char *why; /* what is lost below it */
	const char *fix; /* NULL: sysctl -w NAME=WANTED */
};

static const struct limit limits[] = {
	{"kernel.msgmax", NULL, 0, 65536,
	 "System V queues carry no message of 64 KB", NULL},
	{"kernel.msgmnb", NULL, 0, 65536,
	 "a System V queue has no room for a message of 64 KB", NULL},
	{"kernel.msgmni", NULL, 0, 32, "too few System V queues for the tests",
	 NULL},
	{"kernel.shmmax", NULL, 0, UINT64_C(64) << 20,
	 "System V segments stay below 64 MB", NULL},
	{"kernel.shmall", NULL, 0, (UINT64_C(64) << 20) / 4096,
	 "System V segments together stay below 64 MB", NULL},
	{"kernel.shmmni", NULL, 0, 32,
	 "too few System V segments for the tests", NULL},
	{"kernel.sem", "semmsl", 0, 64, "too few semaphores in a set",
	 "sysctl -w kernel.sem='32000 1024000000 500 32000'"},
	{"kernel.sem", "semmns", 1, 1024, "too few semaphores in all",
	 "sysctl -w kernel.sem='32000 1024000000 500 32000'"},
	{"kernel.sem", "semopm", 2, 32, "too few operations in one semop",
	 "sysctl -w kernel.sem='32000 1024000000 500 32000'"},
	{"kernel.sem", "semmni", 3, 32, "too few semaphore sets for the tests",
	 "sysctl -w kernel.sem='32000 1024000000 500 32000'"},
	{"fs.pipe-max-size", NULL, 0, UINT64_C(1) << 20,
	 "pipes cannot be made 1 MB large", NULL},
};

/* Of POSIX queues, lib/mqlimit knows the rest. */
static const struct {
	int64_t wanted;
	const char *why;
} queue_limits[MQLIMITS] = {
	[MQLIMIT_MESSAGES] = {10, "POSIX queues hold fewer than the usual 10 "
				  "messages"},
	[MQLIMIT_MESSAGE_BYTES] = {65536, "POSIX queues carry no message of "
					  "64 KB"},
	[MQLIMIT_QUEUES] = {32, "too few POSIX queues for the tests"},
	[MQLIMIT_USER_BYTES] = {819200, "too few bytes for a user's POSIX "
					"queues (more than the hard limit: as "
					"root)"},
};

static int read_number(const struct limit *limit, uint64_t *value)
{
	char path[96], line[256], *at = line, *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/%s", limit->name);
	for (char *p = path + strlen("/proc/sys/"); *p; p++)
		if (*p == '.')
			*p = '/';
	file = fopen(path, "re");
	if (!file)
		return -errno;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	for (int i = 0;; i++) {
		errno = 0;
		*value = strtoumax(at, &end, 10);
		if (end == at || errno)
			return -EBADMSG;
		if (i == limit->index)
			return 0;
		at = end;
	}
}

static void visit_missing(const char *subject, checkup_visit *visit, void *arg)
{
	const struct checkup_finding finding = {
		.level = CHECKUP_MISSING,
		.subject = subject,
		.value = "not there",
		.why = "this kernel, or container, lacks that kind of IPC",
		.fix = "use a kernel with CONFIG_SYSVIPC and "
		       "CONFIG_POSIX_MQUEUE"};

	visit(&finding, arg);
}

static void check_queue_limit(enum mqlimit limit, checkup_visit *visit,
			      void *arg)
{
	int64_t number = mqlimit_read(limit);
	const int64_t wanted = queue_limits[limit].wanted;
	char value[32] = "unlimited", fix[96];
	const struct checkup_finding finding = {
		.level = number >= 0 && number < wanted ? CHECKUP_ADVICE
							: CHECKUP_OK,
		.subject = mqlimit_name(limit),
		.value = value,
		.why = queue_limits[limit].why,
		.fix = mqlimit_fix(limit, wanted, fix, sizeof(fix))};

	if (number >= 0)
		snprintf(value, sizeof(value), "%" PRId64, number);
	if (number < 0 && limit != MQLIMIT_USER_BYTES)
		visit_missing(finding.subject, visit, arg);
	else
		visit(&finding, arg);
}

static void check_limit(const struct limit *limit, checkup_visit *visit,
			void *arg)
{
	char subject[64], value[32], fix[128];
	uint64_t number = 0;
	int error = read_number(limit, &number);
	struct checkup_finding finding = {
		.subject = subject, .value = value, .why = limit->why};

	snprintf(subject, sizeof(subject), "%s%s%s%s", limit->name,
		 limit->part ? " (" : "", limit->part ? limit->part : "",
		 limit->part ? ")" : "");
	if (error) {
		visit_missing(subject, visit, arg);
		return;
	}
	snprintf(value, sizeof(value), "%" PRIu64, number);
	if (number < limit->wanted)
		finding.level = CHECKUP_ADVICE;
	if (limit->fix)
		snprintf(fix, sizeof(fix), "%s", limit->fix);
	else
		snprintf(fix, sizeof(fix), "sysctl -w %s=%" PRIu64, limit->name,
			 limit->wanted);
	finding.fix = fix;
	visit(&finding, arg);
}

static void check_descriptors(checkup_visit *visit, void *arg)
{
	char value[32] = "unlimited";
	struct checkup_finding finding = {
		.subject = "RLIMIT_NOFILE",
		.value = value,
		.why = "too few descriptors for pipelines of 1,000 stages",
		.fix = "ulimit -n 4096"};
	struct rlimit rlimit;

	if (getrlimit(RLIMIT_NOFILE, &rlimit))
		return; /* the kernel does not know it: no limit */
	if (rlimit.rlim_cur != RLIM_INFINITY)
		snprintf(value, sizeof(value), "%ju",
			 (uintmax_t)rlimit.rlim_cur);
	if (rlimit.rlim_cur < 1024)
		finding.level = CHECKUP_ADVICE;
	visit(&finding, arg);
}

/* The C library takes any folder of that name; only a tmpfs is memory. */
static void check_dev_shm(checkup_visit *visit, void *arg)
{
	char value[64] = "not there";
	struct checkup_finding finding = {
		.level = CHECKUP_MISSING,
		.subject = "/dev/shm",
		.value = value,
		.why = "POSIX shared memory and semaphores have no place",
		.fix = "mkdir -p /dev/shm && mount -t tmpfs -o mode=1777 tmpfs "
		       "/dev/shm"};
	uint64_t free_mb;
	struct statfs fs;

	if (statfs("/dev/shm", &fs) != 0) {
		visit(&finding, arg);
		return;
	}
	free_mb = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >> 20;
	snprintf(value, sizeof(value), "%" PRIu64 " MB free", free_mb);
	finding.level = CHECKUP_ADVICE;
	if (access("/dev/shm", W_OK | X_OK) != 0) {
		finding.level = CHECKUP_MISSING;
		finding.value = "not writable";
		finding.fix = "chmod 1777 /dev/shm";
	} else if (fs.f_type != TMPFS_MAGIC) {
		finding.value = "no tmpfs";
		finding.why = "shared memory lies on a disk";
	} else if (free_mb < SHM_WANTED_MB) {
		finding.why = "large segments will not fit";
		finding.fix = "mount -o remount,size=256m /dev/shm (or docker "
			      "run --shm-size=256m)";
	} else {
		finding.level = CHECKUP_OK;
	}
	visit(&finding, arg);
}

static void check_dev_mqueue(checkup_visit *visit, void *arg)
{
	struct checkup_finding finding = {
		.level = CHECKUP_ADVICE,
		.subject = "/dev/mqueue",
		.value = "not mounted",
		.why = "queues work, but ls and cat cannot show them",
		.fix = "mkdir -p /dev/mqueue && mount -t mqueue none "
		       "/dev/mqueue"};
	struct statfs fs;

	if (statfs("/dev/mqueue", &fs) == 0 && fs.f_type == MQUEUE_FS_MAGIC) {
		finding.level = CHECKUP_OK;
		finding.value = "mounted";
	}
	visit(&finding, arg);
}

void checkup_limits(checkup_visit *visit, void *arg)
{
	for (int i = 0; i < MQLIMITS; i++)
		check_queue_limit((enum mqlimit)i, visit, arg);
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		check_limit(&limits[i], visit, arg);
	check_descriptors(visit, arg);
	check_dev_shm(visit, arg);
	check_dev_mqueue(visit, arg);
}
